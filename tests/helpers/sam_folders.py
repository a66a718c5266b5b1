"""Tiny networks of SAM's kinds with random weights, in folders of Hugging Face's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SIDE = 64
"""Of the networks' square input, px."""
KINDS = ("sam", "sam2", "sam2_video", "edgetam", "edgetam_video")
_DECODER = {
    "hidden_size": 32, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "iou_head_hidden_dim": 8, "iou_head_depth": 2,
}  # fmt: skip
_PROMPTS = {"hidden_size": 32, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 4}
_NECK = {
    "backbone_channel_list": [32, 16, 8, 4],
    "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    "fpn_hidden_size": 32,
}
_HIERA = {
    "model_type": "sam2_hiera_det_model", "hidden_size": 4, "image_size": [SIDE, SIDE],
    "embed_dim_per_stage": [4, 8, 16, 32], "num_attention_heads_per_stage": [1, 1, 2, 2],
    "blocks_per_stage": [1, 1, 2, 1], "window_size_per_stage": [2, 2, 2, 2], "global_attention_blocks": [3],
    "window_positional_embedding_background_size": [2, 2],
}  # fmt: skip
_MEMORY = {
    "image_size": SIDE, "memory_attention_hidden_size": 32, "memory_attention_num_layers": 1,
    "memory_encoder_hidden_size": 32, "memory_encoder_output_channels": 8, "memory_fuser_embed_dim": 32,
    "memory_fuser_intermediate_dim": 16, "mask_downsampler_embed_dim": 32,
    "memory_attention_rope_feat_sizes": [4, 4],
}  # fmt: skip


def sam_folder(path: Path, kind: str = "sam2", *, seed: int = 0, **preprocessor: Any) -> Path:
    """Write a network and what goes with it.

    Weights are larger than at the start of a training: image and prompt decide what comes out.

    Args:
        path: the folder, made here.
        kind: one of :data:`KINDS`.
        seed: of the weights.
        preprocessor: entries of ``preprocessor_config.json`` in place of the usual ones.
    """
    torch = pytest.importorskip("torch", reason="needs spotlabel[sam]")
    pytest.importorskip("transformers", reason="needs spotlabel[sam]")
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(kind)
        for weights in network.parameters():
            if weights.ndim > 1:
                torch.nn.init.normal_(weights, std=(weights.shape[0] / weights.numel()) ** 0.5)
        for mlp in network.mask_decoder.output_hypernetworks_mlps:
            mlp.proj_out.weight.data *= 5
    network.save_pretrained(path)
    size = {"longest_edge": SIDE} if kind == "sam" else {"height": SIDE, "width": SIDE}
    said = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225], "rescale_factor": 1 / 255, "resample": 2, "size": size,
    }  # fmt: skip
    (path / "preprocessor_config.json").write_text(json.dumps({**said, **preprocessor}))
    return path


def _network(kind: str) -> Any:
    import transformers

    parts: dict[str, Any] = {"prompt_encoder_config": _PROMPTS, "mask_decoder_config": _DECODER}
    if kind == "sam":
        name, parts = "Sam", {**parts, "prompt_encoder_config": {**_PROMPTS, "patch_size": 8}}
        parts["vision_config"] = {
            "hidden_size": 8, "output_channels": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": SIDE, "patch_size": 8, "window_size": 4, "global_attn_indexes": [0], "mlp_dim": 16,
            "num_pos_feats": 16,
        }  # fmt: skip
    elif kind.startswith("sam2"):
        name, parts["vision_config"] = "Sam2", {**_NECK, "backbone_config": _HIERA}
    else:
        name, parts["vision_config"] = "EdgeTam", _edgetam_vision()
    if kind.endswith("_video"):
        name, parts = f"{name}Video", {**parts, **_MEMORY}
    if kind == "edgetam_video":
        parts |= {"perceiver_resampler_hidden_size": 8, "memory_attention_rope_k_sizes": [16, 16]}
    config = getattr(transformers, f"{name}Config")(**parts)
    return getattr(transformers, f"{name}Model")(config)


def _edgetam_vision() -> Any:
    """EdgeTAM's image encoder with four strided convolutions for a backbone.

    The published one has RepViT out of timm there, which needs torchvision; the rest is EdgeTAM's own.
    """
    import transformers

    if "four-stages" not in transformers.CONFIG_MAPPING:
        _register_four_stages()
    backbone = transformers.CONFIG_MAPPING["four-stages"]()
    return transformers.EdgeTamVisionConfig(backbone_config=backbone, **_NECK)


def _register_four_stages() -> None:
    import torch
    import transformers
    from transformers.modeling_outputs import BaseModelOutput

    class FourStagesConfig(transformers.PretrainedConfig):
        model_type = "four-stages"

    class FourStages(transformers.PreTrainedModel):
        config_class = FourStagesConfig
        main_input_name = "pixel_values"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            widths = [(3, 4, 4), (4, 8, 2), (8, 16, 2), (16, 32, 2)]
            self.stages = torch.nn.ModuleList(torch.nn.Conv2d(a, b, step, step) for a, b, step in widths)
            self.post_init()

        def forward(self, pixel_values: Any, **kwargs: Any) -> Any:
            planes = []
            for stage in self.stages:
                planes.append(stage(planes[-1] if planes else pixel_values))
            return BaseModelOutput(last_hidden_state=planes)

    transformers.AutoConfig.register("four-stages", FourStagesConfig)
    transformers.AutoModel.register(FourStagesConfig, FourStages)
