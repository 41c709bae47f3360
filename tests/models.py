"""Small sentence-transformers models with random weights, for tests that need more than one model."""

from __future__ import annotations

import shutil
from pathlib import Path
from warnings import catch_warnings

from digest.embed import DEFAULT_MODEL, find_model


def tiny_model(
    folder: Path, *, pooling: str, seed: int, prompt: str | None = None, act: str = "gelu", half: bool = False
) -> Path:
    """A BERT of 32 dimensions and two layers in the library's own layout, with MiniLM's words."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel

    with catch_warnings(action="ignore", category=DeprecationWarning):  # older versions have no other place
        from sentence_transformers.models import Normalize, Pooling, Transformer

    torch.manual_seed(seed)
    bare = folder.with_name(folder.name + "-bare")
    config = BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, hidden_act=act
    )
    network = BertModel(config)
    for parameter in network.parameters():  # as a fresh model is, all texts look alike
        torch.nn.init.normal_(parameter, std=0.3)
    (network.half() if half else network).save_pretrained(bare)
    words = find_model(DEFAULT_MODEL)
    assert words is not None
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(words / name, bare)
    transformer = Transformer(str(bare), max_seq_length=256)
    model = SentenceTransformer(
        modules=[transformer, Pooling(32, pooling_mode=pooling), Normalize()],
        prompts={"query": prompt} if prompt else None,
        default_prompt_name="query" if prompt else None,
        device="cpu",
    )
    model.save(str(folder), create_model_card=False)
    return folder
