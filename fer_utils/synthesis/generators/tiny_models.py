"""The two tiny text-to-image models: the component types of Stable Diffusion 2 and 3, a thousandth
of the size.

tiny-sd2 is a ``StableDiffusionPipeline``: UNet, v-prediction diffusion (Rombach et al. 2022).
tiny-sd3 is a ``StableDiffusion3Pipeline`` without T5: MM-DiT, rectified flow (Esser et al. 2024).
Both speak a vocabulary of whole words (those of ``fer_utils.prompts``) and share the weights of one
autoencoder.
"""

import re

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from tokenizers import AddedToken
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from fer_utils.core.emotions import ADJECTIVES, NOUNS
from fer_utils.prompts import DECADES, LIGHTS, PEOPLE, REALISM, TEMPLATES

IMAGE_SIZE = 64
LATENT_SIZE = 8
LATENT_CHANNELS = 16
TEXT_WIDTH = 96
MAX_TOKENS = 24


def prompt_words() -> list[str]:
    """Every word the prompt grammar can write, sorted; each becomes one token."""
    text = " ".join(
        [
            *TEMPLATES.values(),
            *NOUNS.values(),
            *ADJECTIVES.values(),
            *LIGHTS,
            *REALISM,
            *(person for person, _ in PEOPLE),
            "a an old kid his her in with glasses",
        ]
    )
    plain = re.sub(r"\{\w+\}", " ", text).lower().replace("close-up", " ")
    return sorted({*re.findall(r"[a-z]+", plain), "close-up"} - {"s"})


def make_tokenizer() -> CLIPTokenizer:
    """A CLIP tokenizer in which every word of the grammar is one token and any other word is spelt
    in letters.

    Byte-pair merges learnt on so few words would cut "sadness" in the middle, so words are added
    tokens.
    """
    letters = sorted(ByteLevel.alphabet())
    pieces = [
        "<|startoftext|>",
        "<|endoftext|>",
        *letters,
        *(letter + "</w>" for letter in letters),
    ]
    tokenizer = CLIPTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], model_max_length=MAX_TOKENS
    )
    words = [*prompt_words(), *(f"{decade}'s" for decade in DECADES)]
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in words])
    return tokenizer


def make_text_encoder(
    tokenizer: CLIPTokenizer, *, projected: bool
) -> CLIPTextModel | CLIPTextModelWithProjection:
    """A two-layer CLIP text encoder of width ``TEXT_WIDTH``."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=MAX_TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def make_autoencoder(channels: int = LATENT_CHANNELS) -> AutoencoderKL:
    """64x64x3 pixels to 8x8x``channels`` latents and back: an eighth of the side, 16 channels as in
    SD3 or 4 as in SD2."""
    return AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=IMAGE_SIZE,
        scaling_factor=1.0,
        shift_factor=0.0,
        force_upcast=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def make_unet(channels: int = LATENT_CHANNELS) -> UNet2DConditionModel:
    """A UNet that reads its prompt at every resolution and, pooled, beside the time step.

    Without the pooled path and with attention at the lowest resolution only, so small a UNet draws
    plausible faces and ignores their emotion.
    """
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(80, 96),
        layers_per_block=1,
        norm_num_groups=16,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(2, 2),
        use_linear_projection=True,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        encoder_hid_dim=None,
    )


def make_transformer() -> SD3Transformer2DModel:
    """An MM-DiT of six joint blocks, width 128; one token for each of the 8x8 latent places."""
    return SD3Transformer2DModel(
        sample_size=LATENT_SIZE,
        patch_size=1,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_layers=6,
        attention_head_dim=64,
        num_attention_heads=2,
        joint_attention_dim=2 * TEXT_WIDTH,
        caption_projection_dim=128,
        pooled_projection_dim=2 * TEXT_WIDTH,
        pos_embed_max_size=LATENT_SIZE,
    )


def assemble_sd2(
    autoencoder: AutoencoderKL,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    unet: UNet2DConditionModel,
) -> StableDiffusionPipeline:
    """The Stable Diffusion 2 class pipeline; like SD2 at 768 pixels it predicts v (Salimans and Ho
    2022)."""
    scheduler = DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def assemble_sd3(
    autoencoder: AutoencoderKL,
    text_encoders,
    tokenizer: CLIPTokenizer,
    transformer: SD3Transformer2DModel,
) -> StableDiffusion3Pipeline:
    """The Stable Diffusion 3 class pipeline with its two CLIP text encoders and no T5."""
    return StableDiffusion3Pipeline(
        vae=autoencoder,
        text_encoder=text_encoders[0],
        text_encoder_2=text_encoders[1],
        text_encoder_3=None,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        tokenizer_3=None,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
    )


def parameter_count(model: torch.nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
