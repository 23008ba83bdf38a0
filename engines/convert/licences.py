"""The licences of encoders that can be imported, in plain words: what is shown before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Licence:
    """What an importer must know; `name` goes into the manifests."""

    system: str
    origin: str
    name: str
    words: str


LICENCES: Mapping[str, Licence] = {
    "avhubert": Licence(
        "AV-HuBERT",
        "Shi et al., ICLR 2022; github.com/facebookresearch/av_hubert",
        "AV-HuBERT licence (Meta), non-commercial research",
        "AV-HuBERT's licence covers code and weights. It forbids commercial use, and it forbids use for surveillance\n"
        "and for biometric processing. Watching people in calls can be both: whether your use is allowed is for you\n"
        "and your lawyer to decide, for every call that you run it on. Packs made from it stay under that licence and\n"
        "must not be passed on against it.",
    ),
    "braven": Licence(
        "BRAVEn / RAVEn",
        "Haliassos et al., ICLR 2023 and ICASSP 2024; github.com/ahaliassos/raven",
        "MIT (BRAVEn)",
        "BRAVEn and RAVEn are under the MIT licence: you may use, change and pass on code and weights, commercially\n"
        "too, with the copyright notice kept. The data they were trained on (LRS3, VoxCeleb2) have terms of their own.",
    ),
    "lr-asd": Licence(
        "LR-ASD",
        "Liao et al., IJCV 2025; github.com/Junhua-Liao/LR-ASD",
        "MIT (LR-ASD)",
        "LR-ASD is under the MIT licence: you may use, change and pass on code and weights, commercially too, with\n"
        "the copyright notice kept. The data it was trained on (AVA-ActiveSpeaker, TalkSet) have terms of their own.",
    ),
    "dlib-face": Licence(
        "dlib face recognition",
        "Davis King, dlib-models; github.com/davisking/dlib-models, as packed in face_recognition_models 0.3.0",
        "CC0-1.0 (dlib-models)",
        "The weights are in the public domain (CC0 1.0): you may use, change and pass them on, commercially too. CC0\n"
        "says nothing of the people in the pictures they were trained on (FaceScrub, VGG Face, the web), and nothing\n"
        "of yours: comparing faces to confirm who somebody is processes biometric data, which in many places needs\n"
        "that person's explicit consent. Of the other files of that package nothing is read.",
    ),
    "silero-vad": Licence(
        "Silero VAD",
        "Silero Team; github.com/snakers4/silero-vad, as packed in silero-vad 6.2.3",
        "MIT (Silero Team)",
        "Silero VAD is under the MIT licence: you may use, change and pass on code and weights, commercially too,\n"
        "with the copyright notice kept (Copyright (c) 2020-present Silero Team). What it was trained on is not said.",
    ),
    "resemblyzer": Licence(
        "Resemblyzer",
        "Corentin Jemine, Resemble AI; github.com/resemble-ai/Resemblyzer, as packed in resemblyzer 0.1.4",
        "Apache-2.0 (Resemblyzer)",
        "Code and weights are under the Apache License 2.0: you may use, change and pass them on, commercially too,\n"
        "with licence and notices kept. It says nothing of the people whose voices it was trained on (LibriSpeech\n"
        "and VoxCeleb have terms of their own), and nothing of yours: comparing voices to confirm who somebody is\n"
        "processes biometric data, which in many places needs that person's explicit consent.",
    ),
}
