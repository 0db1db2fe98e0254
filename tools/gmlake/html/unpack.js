// From the element "data" to documents: base64, gzip, then the length of a JSON text, that text, and the columns it names.

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; ++i) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function gunzip(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Numbers of seven bits a byte, the lowest first. Doubles hold addresses exactly.
function varints(bytes, count) {
  const numbers = new Float64Array(count);
  let at = 0;
  for (let i = 0; i < count; ++i) {
    let byte = bytes[at++];
    let number = byte & 127;
    for (let scale = 128; byte > 127; scale *= 128) {
      byte = bytes[at++];
      number += (byte & 127) * scale;
    }
    numbers[i] = number;
  }
  return numbers;
}

// Of differences that may be negative: 0, -1, 1, -2, ... as 0, 1, 2, 3, ...
function unfolded(numbers) {
  let sum = 0;
  for (let i = 0; i < numbers.length; ++i) {
    const folded = numbers[i];
    sum += folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
    numbers[i] = sum;
  }
  return numbers;
}

function summed(numbers) {
  let sum = 0;
  for (let i = 0; i < numbers.length; ++i) numbers[i] = sum += numbers[i];
  return numbers;
}

async function unpack() {
  const holder = document.getElementById('data');
  const bytes = await gunzip(fromBase64(holder.textContent.trim()));
  holder.remove();  // its text is not needed twice
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const columns = bytes.subarray(4 + length);
  for (const one of about.documents)
    one.column = name => {
      const [offset, size, count] = one.columns[name] || [0, 0, 0];
      return varints(columns.subarray(offset, offset + size), count);
    };
  return about;
}
