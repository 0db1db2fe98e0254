#include "hooks/elf_object.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace gmlake::hooks {
namespace {

std::uint32_t gnu_hash(const char* name) {
  std::uint32_t hash = 5381;
  for (; *name != 0; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
  return hash;
}

// Of the GNU hash table: its four numbers, and where its parts are.
struct Hash {
  explicit Hash(const std::uint32_t* table)
      : bucket_count(table[0]),
        first_symbol(table[1]),
        bloom_mask(table[2] - 1),
        bloom_shift(table[3]),
        bloom(reinterpret_cast<const ElfW(Addr) *>(table + 4)),
        buckets(reinterpret_cast<const std::uint32_t*>(bloom + table[2])),
        chain(buckets + bucket_count - first_symbol) {}
  bool may_have(std::uint32_t hash) const {
    constexpr unsigned kBits = 8 * sizeof(ElfW(Addr));
    const auto word = bloom[(hash / kBits) & bloom_mask];
    return ((word >> (hash % kBits)) & (word >> ((hash >> bloom_shift) % kBits)) & 1) != 0;
  }

  std::uint32_t bucket_count, first_symbol, bloom_mask, bloom_shift;
  const ElfW(Addr) * bloom;
  const std::uint32_t* buckets;
  const std::uint32_t* chain;  // by symbol
};

}  // namespace

ElfObject::ElfObject(const link_map& map) : map_(&map) {
  // glibc turns the offsets into addresses, but not in objects whose dynamic section is read-only.
  const auto at = [&](const ElfW(Dyn) & entry) {
    return entry.d_un.d_ptr < map.l_addr ? entry.d_un.d_ptr + map.l_addr : entry.d_un.d_ptr;
  };
  bool has_addends = true;
  for (const auto* entry = map.l_ld; entry && entry->d_tag != DT_NULL; ++entry)
    switch (entry->d_tag) {
      case DT_SYMTAB:
        symbols_ = reinterpret_cast<ElfW(Sym)*>(at(*entry));
        break;
      case DT_STRTAB:
        strings_ = reinterpret_cast<const char*>(at(*entry));
        break;
      case DT_SONAME:
        soname_ = entry->d_un.d_val;
        break;
      case DT_GNU_HASH:
        hash_ = reinterpret_cast<const std::uint32_t*>(at(*entry));
        break;
      case DT_VERSYM:
        versions_ = reinterpret_cast<const ElfW(Half)*>(at(*entry));
        break;
      case DT_VERDEF:
        nodes_ = reinterpret_cast<const ElfW(Verdef)*>(at(*entry));
        break;
      case DT_RELA:
        relocations_[0].first = reinterpret_cast<const ElfW(Rela)*>(at(*entry));
        break;
      case DT_RELASZ:
        relocations_[0].count = entry->d_un.d_val / sizeof(ElfW(Rela));
        break;
      case DT_JMPREL:
        relocations_[1].first = reinterpret_cast<const ElfW(Rela)*>(at(*entry));
        break;
      case DT_PLTRELSZ:
        relocations_[1].count = entry->d_un.d_val / sizeof(ElfW(Rela));
        break;
      case DT_PLTREL:
        has_addends = entry->d_un.d_val == DT_RELA;
        break;
      default:
        break;
    }
  for (auto& table : relocations_)
    if (!table.first || !has_addends) table = {};
}

bool ElfObject::binds(std::uint64_t info) {
#if defined(__x86_64__)
  const auto type = ELF64_R_TYPE(info);
  return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT ||
         (type == R_X86_64_64 && ELF64_R_SYM(info) != 0);
#elif defined(__aarch64__)
  const auto type = ELF64_R_TYPE(info);
  return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT ||
         (type == R_AARCH64_ABS64 && ELF64_R_SYM(info) != 0);
#endif
}

bool ElfObject::is_function(std::uint32_t index) const {
  const auto& symbol = symbols_[index];
  return symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
}

bool ElfObject::is(const char* name, std::uint32_t index) const {
  return is_function(index) && std::strcmp(strings_ + symbols_[index].st_name, name) == 0;
}

ElfObject::Range ElfObject::defined() const {
  if (!hash_ || !symbols_ || !strings_) return {};
  const Hash table(hash_);
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < table.bucket_count; ++i)
    if (table.buckets[i] > last) last = table.buckets[i];
  if (last < table.first_symbol) return {};
  while ((table.chain[last] & 1) == 0) ++last;
  return {table.first_symbol, last + 1};
}

std::uint32_t ElfObject::first_of(const char* name) const {
  if (!hash_ || !symbols_ || !strings_) return 0;
  const Hash table(hash_);
  const auto hash = gnu_hash(name);
  if (table.bucket_count == 0 || !table.may_have(hash)) return 0;
  const auto index = table.buckets[hash % table.bucket_count];
  if (index < table.first_symbol) return 0;  // an empty bucket
  if (((table.chain[index] ^ hash) >> 1) == 0 && is(name, index)) return index;
  return next_of(name, index);
}

std::uint32_t ElfObject::next_of(const char* name, std::uint32_t index) const {
  const Hash table(hash_);
  const auto hash = gnu_hash(name);
  while ((table.chain[index] & 1) == 0) {  // the last of a bucket has the lowest bit
    ++index;
    if (((table.chain[index] ^ hash) >> 1) == 0 && is(name, index)) return index;
  }
  return 0;
}

const char* ElfObject::version_of(const char* name) const {
  const auto index = first_of(name);
  if (index == 0 || !versions_ || !nodes_) return nullptr;
  const unsigned wanted = versions_[index] & 0x7fffU;
  for (const auto* node = nodes_;;) {
    const auto* bytes = reinterpret_cast<const char*>(node);
    if (node->vd_ndx == wanted && (node->vd_flags & VER_FLG_BASE) == 0)
      return strings_ + reinterpret_cast<const ElfW(Verdaux)*>(bytes + node->vd_aux)->vda_name;
    if (node->vd_next == 0) return nullptr;
    node = reinterpret_cast<const ElfW(Verdef)*>(bytes + node->vd_next);
  }
}

Lmid_t ElfObject::space() const {
  Lmid_t space = LM_ID_BASE;  // glibc's handles are these
  (void)dlinfo(const_cast<link_map*>(map_), RTLD_DI_LMID, &space);
  return space;
}

// As the loader has left it; -1 if the word is none of the object's.
int ElfObject::protection(std::uintptr_t at) const {
  Dl_info found{};
  if (!header_ && dladdr(map_->l_ld, &found) != 0)
    header_ = static_cast<const char*>(found.dli_fbase);
  if (!header_ || std::memcmp(header_, ELFMAG, SELFMAG) != 0) return -1;
  const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(header_);
  const auto* parts = reinterpret_cast<const ElfW(Phdr)*>(header_ + header->e_phoff);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  int result = -1;
  for (int i = 0; i < header->e_phnum; ++i) {
    const auto& part = parts[i];
    const auto start = map_->l_addr + part.p_vaddr;
    const auto end = start + part.p_memsz;
    if (part.p_type == PT_LOAD && at >= start && at < end)
      result = ((part.p_flags & PF_R) != 0 ? PROT_READ : 0) |
               ((part.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
               ((part.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
    // Whole pages only; the rest of the last one stays writable.
    if (part.p_type == PT_GNU_RELRO && at >= start && at < (end & ~(page - 1))) return PROT_READ;
  }
  return result;
}

bool ElfObject::store(const void* at, std::uintptr_t value) const {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  const int before = protection(address);
  if (before == -1) return false;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  auto* start = reinterpret_cast<void*>(address & ~(page - 1));
  const bool is_protected = (before & PROT_WRITE) == 0;
  if (is_protected && mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return false;
  // Other threads may read it meanwhile: the old value or the new one.
  __atomic_store_n(reinterpret_cast<std::uintptr_t*>(address), value, __ATOMIC_RELEASE);
  if (is_protected) (void)mprotect(start, page, before);
  return true;
}

}  // namespace gmlake::hooks
