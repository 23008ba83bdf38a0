"""The cards of the packs made here: what a model is for, where it comes from, and where it fails."""

FACE_DETECTOR_CARD = """
# face_detector

**What it is.** MediaPipe's short-range face detector (BlazeFace), converted from TFLite to ONNX
without change to a weight. 896 anchors, each with a box, six keypoints and a logit.

**Use here.** Finds faces until the landmark model can follow them. It says where a face is, never
whose.

**Origin and licence.** Google MediaPipe 0.10.21, `face_detection_short_range.tflite`, Apache-2.0;
see NOTICE. Made by `engines/convert/mediapipe.py`. It was not trained by this project; its training
data are described by MediaPipe's own model card, "MediaPipe BlazeFace Short Range".

**Interface.** In: `image` (batch, 128, 128, 3) RGB in [-1, 1]. Out: `boxes` (batch, 896, 16) in
pixels relative to the anchor, `logits` (batch, 896, 1). The manifest holds the anchors and the
decoding.

**Checked.** Both engines match the original TFLite runtime on fixed inputs, for several batch sizes
(`tests/engines/test_golden.py` states the tolerances).

**Limits.** Made for faces within two metres of a front camera: a face of 60 px in a 1280x720
picture is below its reach unless the search looks at tiles. Profiles beyond about 60 degrees, heavy
occlusion and very dark pictures are missed more often.
"""

FACE_LANDMARKS_CARD = """
# face_landmarks

**What it is.** MediaPipe's face mesh (468 points with depth), converted from TFLite to ONNX without
change to a weight.

**Use here.** Follows a face from frame to frame; the mouth crop, the face crop, pose and quality
are read off the points. It describes geometry, never identity.

**Origin and licence.** Google MediaPipe 0.10.21, `face_landmark.tflite`, Apache-2.0; see NOTICE.
Made by `engines/convert/mediapipe.py`. It was not trained by this project; its training data are
described by MediaPipe's own model card, "MediaPipe Face Mesh".

**Interface.** In: `image` (batch, 192, 192, 3) RGB in [0, 1], the face upright and filling two
thirds of the crop. Out: `landmarks` (batch, 468, 3) in pixels of the crop, `presence` (batch, 1), a
logit that a face is there at all.

**Checked.** Both engines match the original TFLite runtime on fixed inputs, for several batch sizes
(`tests/engines/test_golden.py` states the tolerances).

**Limits.** The depth is relative. Points behind a hand, a mask or a microphone are guessed, and
guessed plausibly: occlusion has to be judged elsewhere. Lips are followed less closely than by
MediaPipe's attention variant, which does not convert.
"""

FACE_IDENTITY_CARD = """
# face_identity

**What it is.** dlib's face recognition network (a residual network of 29 convolutions, 5.6 million
parameters), read from its published file and written as ONNX without training. Affine layers and the
normalisation of the input are folded into the convolutions; the result is brought to unit length.

**Use here.** Compares the face of a participant with the enrolled reference of the person that he or
she claims to be, one to one. It is never used to search who somebody is.

**Origin and licence.** Davis King, dlib-models, `dlib_face_recognition_resnet_model_v1.dat`
(sha256 of the file read: {sha256}), CC0 1.0 for the published file. The author says that it was
trained from scratch on about three million faces of 7,485 people, gathered from FaceScrub, VGG Face
and pictures from the web; those pictures have rights of their own, which CC0 does not settle. Made
by `engines/convert/dlib_face.py` on this machine; it is not part of the repository.

**Interface.** In: `face` (batch, 3, 150, 150) RGB in 0..255, aligned as `monitor.face.aligned` does.
Out: `embedding` (batch, 128) of unit length, compared by Euclidean distance. dlib leaves the length
as it comes and draws the line at 0.6; at unit length the same error lies at about 0.42.

**Checked.** Against dlib itself on fixed inputs (`tests/engines/test_dlib_face.py` states the
tolerance).

**Limits.** The errors differ between groups of people: the training pictures are mostly of
celebrities of the West, and nothing in this project measured that. Twins and close relatives are not
told apart. A face swap aims at exactly this distance, so a small one is no proof of a person; small,
blurred, dark and turned faces move away from everybody, the person included. What was measured, and
on what, stands in `docs/encoders.md`.
"""

SPEECH_PRESENCE_CARD = """
# speech_presence

**What it is.** Silero's voice activity detector, version 6 for 16 kHz: a short-time spectrum, four
convolutions and an LSTM, 0.3 million parameters. Weights are those of the published file, without
training; the graph around them was written anew, with batch and time as axes.

**Use here.** The second of two conditions for speech: sound that WebRTC's detector takes for speech
counts only while this network hears somebody speak (`monitor.voice.presence`). It says that
somebody speaks, never who or what.

**Origin and licence.** Silero Team, silero-vad, `silero_vad_16k_sequence.onnx` (sha256 of the file
read: {sha256}), MIT licence, copyright (c) 2020-present Silero Team. Its training data are not
described. Made by `engines/convert/silero_vad.py` on this machine; it is not part of the
repository.

**Interface.** In: `frames` (batch, time, 576), 64 samples before and 512 samples of 16 kHz sound in
[-1, 1]; `state` (batch, 256), zeros at the start of a stream. Out: `presence` (batch, time, 1), a
probability that somebody speaks in the frame, and `state_out`.

**Checked.** Against the published graph on fixed inputs
(`tests/engines/convert/test_silero_vad.py`).

**Limits.** Singing is speech to it. So is speech from a loudspeaker, a television or the next
room: whose voice it is must be seen elsewhere.
"""

VOICE_IDENTITY_CARD = """
# voice_identity

**What it is.** Resemblyzer's voice encoder (GE2E, Wan et al. 2018): an LSTM of three layers of 256, 1.4
million parameters, over 1.6 s of 40 mel bands. Weights are those of the published file, without
training; the graph around them was written anew.

**Use here.** Compares the voice of a participant with the enrolled reference of the person that he or
she claims to be, one to one. It is never used to search who somebody is.

**Origin and licence.** Corentin Jemine and Resemble AI, Resemblyzer, `pretrained.pt` (sha256 of the
file read: {sha256}), Apache-2.0. The authors say that it was trained on LibriSpeech, VoxCeleb1 and
VoxCeleb2; these recordings have rights of their own. Made by `engines/convert/resemblyzer.py` on this
machine; it is not part of the repository.

**Interface.** In: `frames` (batch, 160, 40), power in mel bands (not its logarithm) of 16 kHz speech
without its pauses, as `monitor.voice.mel40` makes them. Out: `embedding` (batch, 256) of unit length,
no number below zero, compared by cosine.

**Checked.** Against a forward pass in numpy alone, with weights of a seed
(`tests/engines/convert/test_resemblyzer.py`).

**Limits.** It learnt mostly from read and broadcast English of grown-ups; nothing in this project
measured its errors by sex, age, language or accent. Siblings sound alike. A cloned voice aims at
exactly this similarity, so a voice that is alike is no proof of a person; a cold, a whisper, music, a
bad line and two people in one microphone move away from everybody, the person included. What was
measured, and on what, stands in `docs/encoders.md`.
"""
