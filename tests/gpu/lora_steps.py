"""A Llama of 1.3 billion parameters with low-rank adapters: the model of pytorch_ways.py's first row. Needs transformers, not peft.

Adapters of rank 16 on q, v and gate, checkpointing without re-entry, batches of 4 sequences of 300 to 4000 tokens, AdamW, bf16.
"""

import random

import torch
from torch import nn

RANK, SCALE = 16, 2.0


class Adapted(nn.Module):
    """A frozen linear layer and what is learnt beside it."""

    def __init__(self, base):
        super().__init__()
        self.base = base.requires_grad_(False)
        place = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.down = nn.Linear(base.in_features, RANK, bias=False, **place)
        self.up = nn.Linear(RANK, base.out_features, bias=False, **place)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.base(x) + SCALE * self.up(self.down(x))


def lora():
    from transformers import LlamaConfig, LlamaForCausalLM
    config = LlamaConfig(vocab_size=32000, hidden_size=2048, intermediate_size=5632, num_hidden_layers=16, num_attention_heads=32,
                         num_key_value_heads=4, max_position_embeddings=4096, use_cache=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = LlamaForCausalLM(config)
    model.requires_grad_(False)
    for layer in model.model.layers:
        for owner, name in ((layer.self_attn, "q_proj"), (layer.self_attn, "v_proj"), (layer.mlp, "gate_proj")):
            setattr(owner, name, Adapted(getattr(owner, name)))
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    pick, source = random.Random(4), torch.Generator(device="cuda").manual_seed(4)

    def step():
        tokens = torch.randint(32000, (4, pick.randint(300, 4000)), device="cuda", generator=source)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step
