"""Sentences that synthesisers are given: what is said in calls, by language. Written for this purpose, of nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_ENGLISH = (
    "Good morning everybody, can you hear me all right? I will share my screen in a moment.",
    "We looked at the figures for the third quarter yesterday, and they are a little better than we thought.",
    "Sorry, I was on mute. What I wanted to say is that the contract has to be signed before Friday.",
    "My name does not matter so much; what matters is that the payment goes out today, please.",
    "The children are at school until three, so we can talk about the kitchen and the garden now.",
    "If you look at page seven, you will see how the pressure changes when the valve is opened.",
    "It rained all week, but we still walked along the river every evening and fed the ducks.",
    "I have been working on this project for about two years, together with a very small team.",
    "Could you please send me the address again? I think I wrote down the wrong number.",
    "There were forty people in the room, and only three of them had read the report.",
    "Before I moved here, I used to repair old clocks, radios and sometimes a piano.",
    "Let us move the meeting to Thursday at a quarter past nine, if nobody minds.",
    "The doctor told me to drink more water, sleep longer, and stop reading the news at night.",
    "What surprised us most was how quickly the price of wheat fell after the harvest.",
    "You take the second street on the left, pass the bakery, and then it is the green door.",
    "I would like to thank my colleagues, who answered the phones through the whole weekend.",
    "Honestly, I do not know whether this is a good idea, but we should at least try it once.",
    "The bridge was closed for repairs, so the bus had to go all the way around the lake.",
    "She asked whether the invoice had been paid, and nobody in the office could tell her.",
    "First we measure the temperature, then we weigh the sample, and finally we write it all down.",
    "Our customers in the north prefer the smaller box, because it fits under the seat.",
    "He plays chess with his neighbour every Sunday, and he has never won a single game.",
    "Please speak a little slower, the connection is bad and I lose every second word.",
    "That is all from my side. Are there any questions, or shall we finish five minutes early?",
)
SENTENCES: Mapping[str, Sequence[str]] = {
    "en": _ENGLISH,
    "de": (
        "Guten Morgen zusammen, könnt ihr mich alle hören? Ich teile gleich meinen Bildschirm.",
        "Der Vertrag muss bis Freitag unterschrieben sein, sonst verlieren wir den Auftrag.",
        "Es hat die ganze Woche geregnet, trotzdem sind wir jeden Abend am Fluss spazieren gegangen.",
    ),
    "es": (
        "Buenos días a todos, ¿me oyen bien? Voy a compartir la pantalla en un momento.",
        "El contrato tiene que estar firmado antes del viernes, y todavía faltan dos páginas.",
        "Llovió toda la semana, pero cada tarde caminamos junto al río con los niños.",
    ),
    "fr": (
        "Bonjour à tous, est-ce que vous m'entendez bien ? Je partage mon écran dans un instant.",
        "Le contrat doit être signé avant vendredi, et il manque encore deux pages.",
        "Il a plu toute la semaine, mais nous avons marché chaque soir le long de la rivière.",
    ),
    "it": (
        "Buongiorno a tutti, mi sentite bene? Tra un momento condivido lo schermo.",
        "Il contratto deve essere firmato entro venerdì, e mancano ancora due pagine.",
        "Ha piovuto tutta la settimana, ma ogni sera abbiamo camminato lungo il fiume.",
    ),
    "pt": (
        "Bom dia a todos, vocês me ouvem bem? Vou partilhar o meu ecrã dentro de um momento.",
        "O contrato tem de ser assinado até sexta-feira, e ainda faltam duas páginas.",
        "Choveu toda a semana, mas todas as tardes caminhámos junto ao rio.",
    ),
}
