"""Pipelines of Stable Diffusion's real component types with random weights, small enough for a
test.

Shapes are those of the published models' config.json files with every width shrunk; tokenizers are
real ones with a vocabulary of letters.
"""

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

WIDTH = 32
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',.-"


def clip_tokenizer(folder: Path, pad_token: str) -> CLIPTokenizer:
    """From a vocab.json and merges.txt, as on the hub; SD2 pads with "!", SD3 with the end of the
    text."""
    letters = sorted(ByteLevel.alphabet())
    merges = [("f", "a"), ("fa", "c"), ("fac", "e</w>"), ("s", "a"), ("sa", "d</w>")]
    pieces = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *("".join(pair) for pair in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    return CLIPTokenizer.from_pretrained(folder, pad_token=pad_token, model_max_length=77)


def t5_tokenizer() -> T5Tokenizer:
    pieces = [
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁", -2.0),
        *((letter, -3.0) for letter in LETTERS),
    ]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def clip_encoder(tokenizer: CLIPTokenizer, *, projected: bool, act: str):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act=act,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def autoencoder(channels: int, **config) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=64,
        **config,
    ).eval()


def unet(**config) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 2, 4, 4),
        use_linear_projection=True,
        **config,
    ).eval()


def save_sd2(folder: Path) -> Path:
    """A StableDiffusionPipeline with the settings of stable-diffusion-2-1: OpenCLIP's text encoder,
    v-prediction."""
    torch.manual_seed(2)
    tokenizer = clip_tokenizer(folder / "words", pad_token="!")
    StableDiffusionPipeline(
        vae=autoencoder(4, scaling_factor=0.18215),
        text_encoder=clip_encoder(tokenizer, projected=False, act="gelu"),
        tokenizer=tokenizer,
        unet=unet(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type="v_prediction",
        ),
    ).save_pretrained(folder / "sd2")
    return folder / "sd2"


def save_sd3(folder: Path) -> Path:
    """A StableDiffusion3Pipeline with all three text encoders and Stable Diffusion 3 Medium's
    scheduler."""
    torch.manual_seed(3)
    first = clip_tokenizer(folder / "words_1", pad_token="<|endoftext|>")
    second = clip_tokenizer(folder / "words_2", pad_token="!")
    third = t5_tokenizer()
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(third),
            d_model=2 * WIDTH,
            d_kv=16,
            d_ff=4 * WIDTH,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        )
    ).eval()
    StableDiffusion3Pipeline(
        vae=autoencoder(
            16,
            scaling_factor=1.5305,
            shift_factor=0.0609,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=clip_encoder(first, projected=True, act="quick_gelu"),
        tokenizer=first,
        text_encoder_2=clip_encoder(second, projected=True, act="gelu"),
        tokenizer_2=second,
        text_encoder_3=t5,
        tokenizer_3=third,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        transformer=SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=32,
            pooled_projection_dim=2 * WIDTH,
            pos_embed_max_size=16,
        ).eval(),
    ).save_pretrained(folder / "sd3")
    return folder / "sd3"


def save_other(folder: Path) -> Path:
    """A distilled model of a third class, which takes no negative prompt: a
    LatentConsistencyModelPipeline."""
    torch.manual_seed(4)
    tokenizer = clip_tokenizer(folder / "words", pad_token="!")
    LatentConsistencyModelPipeline(
        vae=autoencoder(4),
        text_encoder=clip_encoder(tokenizer, projected=False, act="quick_gelu"),
        tokenizer=tokenizer,
        unet=unet(time_cond_proj_dim=32),
        scheduler=LCMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder / "lcm")
    return folder / "lcm"


def save_lora(address: Path, folder: Path, *, scale: float = 0.5) -> Path:
    """Random LoRA weights on the attention of the pipeline at ``address``, written by
    save_lora_weights."""
    from diffusers import DiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipeline = DiffusionPipeline.from_pretrained(address)
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    denoiser = getattr(pipeline, part)
    denoiser.add_adapter(
        LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"])
    )
    torch.manual_seed(5)
    weights = {
        name: scale * torch.randn_like(value)
        for name, value in get_peft_model_state_dict(denoiser).items()
    }
    pipeline.save_lora_weights(folder, **{f"{part}_lora_layers": weights})
    return folder
