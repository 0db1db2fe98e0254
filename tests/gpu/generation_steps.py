"""A Llama of 1.3 billion parameters that answers requests: a row of pytorch_ways.py's table. Needs transformers.

Each step is a batch of 8 to 32 prompts of 100 to 2000 tokens, answered greedily with 20 to 40 tokens. The key-value cache grows by
a token at a time, each layer's keys and values copied into a block a little larger than the one before.
"""

import random
import zlib

import torch

VOCABULARY = 32000


def generation():
    from transformers import LlamaConfig, LlamaForCausalLM
    config = LlamaConfig(vocab_size=VOCABULARY, hidden_size=2048, intermediate_size=5504, num_hidden_layers=24, num_attention_heads=16,
                         num_key_value_heads=16, max_position_embeddings=4096, bos_token_id=None, eos_token_id=None, pad_token_id=0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config).eval()
    pick, source = random.Random(5), torch.Generator(device="cuda").manual_seed(5)

    def step():
        prompts, longest = pick.randint(8, 32), pick.randint(100, 2000)
        lengths = torch.tensor([longest] + [pick.randint(100, longest) for _ in range(prompts - 1)], device="cuda")
        tokens = torch.randint(VOCABULARY, (prompts, longest), device="cuda", generator=source)
        asked = torch.arange(longest, device="cuda") >= longest - lengths[:, None]  # shorter ones are padded on the left
        answer = model.generate(tokens, attention_mask=asked.long(), max_new_tokens=pick.randint(20, 40), do_sample=False)
        return zlib.crc32(answer.cpu().numpy().tobytes())  # one other token, and it is another number

    return step
