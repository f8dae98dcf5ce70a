#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# ebb eval: networks against PyTorch, and damaged .npy files.
. "$(dirname "$0")/tap.sh"
golden=$data/golden/eval unet=$data/models/tiny-sfx/unet vae=$data/models/tiny-sfx/vae

for device in ref cpu; do
    ok "$device: U-Net" \
        sh -c "$ebb eval $unet --input $golden/unet-x.npy --timestep 731 --label 1,2 --device $device \
            --output y.npy && $helper near y.npy $golden/unet-y.npy 1e-4"
    ok "$device: encoder" \
        sh -c "$ebb eval $vae --input $golden/vae-x.npy --encode --device $device --output e.npy &&
            $helper near e.npy $golden/vae-encoded.npy 1e-4"
    ok "$device: decoder" \
        sh -c "$ebb eval $vae --input $golden/vae-z.npy --decode --device $device --output d.npy &&
            $helper near d.npy $golden/vae-decoded.npy 1e-4"
done
ok "the shape is right" sh -c "$helper shape y.npy | grep -q '(2, 4, 8, 16) 1024'"
ok "another label" "$ebb" eval "$unet" --input "$golden/unet-x.npy" --timestep 731 --label 3 --device cpu \
    --output z.npy
ok "another answer" differ "$helper" near z.npy "$golden/unet-y.npy" 1e-3
ok "an answer in bfloat16" sh -c "$ebb eval $unet --input $golden/unet-x.npy --timestep 731 --label 1,2 \
    --device cpu:plain --bf16 --output bf16.npy && $helper near bf16.npy $golden/unet-y.npy 5e-2"
ok "that is not the answer in float32" differ "$helper" near bf16.npy "$golden/unet-y.npy" 1e-4
ok "timing is a line of JSON" \
    sh -c "$ebb eval $unet --input $golden/unet-x.npy --timestep 7 --device cpu --repeat 3 |
        grep -qx '{\"ms_min\": [0-9.]*, \"ms_median\": [0-9.]*, \"ms_processor\": [0-9.]*}'"

run="$ebb eval $unet --timestep 731 --device cpu --output no.npy --input"
fails 3 'nosuch.npy' $run nosuch.npy
echo hello >text.npy
fails 4 'not a .npy' $run text.npy
head -c 1000 "$golden/unet-x.npy" >short.npy
fails 4 'cut short' $run short.npy
head -c 40 "$golden/unet-x.npy" >shorter.npy
fails 4 'cut short' $run shorter.npy
fake() { printf '\223NUMPY\001\000v\000%-117s\n' "$1" >fake.npy; head -c 4096 /dev/zero >>fake.npy; }
fake "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 4, 8, 16), }"
fails 4 'float32 or float64' $run fake.npy
fake "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 4, 8, 16), }"
fails 4 'Fortran' $run fake.npy
fake "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 8, 16), }"
fails 4 'shape' $run fake.npy
fake "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4, 8, 4096), }"
fails 4 'cut short' $run fake.npy
fake "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 4, 8, 16), }"
fails 4 'shape' $run fake.npy
fake "{'descr': '<f4', 'fortran_order': False, 'shape': (1024,), }"
fails 2 'four are needed' $run fake.npy
fake "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8, 4, 16), }"
fails 2 '' $run fake.npy
fails 2 '3 labels for 2' $run "$golden/unet-x.npy" --label 1,2,3
fails 2 'label' $run "$golden/unet-x.npy" --label 1,x
fails 2 'timestep' "$ebb" eval "$unet" --input "$golden/unet-x.npy" --output no.npy --device cpu
fails 2 'UNet2DModel' $run "$golden/unet-x.npy" --decode
fails 2 'encode' "$ebb" eval "$vae" --input "$golden/vae-x.npy" --output no.npy --device cpu
fails 3 'nosuch' "$ebb" eval nosuch --input "$golden/unet-x.npy" --timestep 1 --output no.npy
fails 6 'nosuch' "$ebb" eval "$unet" --input "$golden/unet-x.npy" --timestep 1 --output no.npy --device nosuch
ok "nothing was written" test ! -e no.npy

# ---- a vocoder ----

voice=$data/golden/nets/vocoder
for device in ref cpu; do
    ok "$device: vocoder" "$ebb" eval "$voice" --input "$voice/forward.in.npy" --device "$device" -o w.npy
    ok "$device: as transformers" "$helper" near w.npy "$voice/forward.out.npy" 1e-5
done
ok "(2, 1, 1, 92) samples" sh -c "$helper shape w.npy | grep -q '(2, 1, 1, 92)'"
fails 2 'AutoencoderKL' "$ebb" eval "$voice" --input "$voice/forward.in.npy" -o no.npy --decode --device cpu
fails 2 'channel count' "$ebb" eval "$voice" --input "$golden/unet-x.npy" --output no.npy --device cpu
# ---- U-Nets that see text ----

cross=$data/golden/nets/cross self=$data/golden/nets/audioldm
python_arrays() { # states and vectors out of the golden nets' json
    python3 - "$1" "$2" "$3" <<'END'
import json, struct, sys
root, out, shape = json.load(open(sys.argv[1])), sys.argv[2], sys.argv[3]
values = root["texts"][0]["states"] if "texts" in root else root["class_vector"]
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }" % shape
header += " " * (117 - len(header)) + "\n"
with open(out, "wb") as f:
    f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    f.write(struct.pack("<%df" % len(values), *values))
END
}
python_arrays "$cross/forward.json" states.npy "2, 5, 6"
python_arrays "$self/forward.json" vector.npy "2, 5"
ok "a U-Net that sees text" \
    sh -c "$ebb eval $cross --input $cross/forward.in.npy --timestep 731 --text states.npy --device cpu \
        --output y.npy && $helper near y.npy $cross/forward.out.npy 1e-5"
ok "a U-Net that attends to itself and is given a vector" \
    sh -c "$ebb eval $self --input $self/forward.in.npy --timestep 500.25 --vector vector.npy --device cpu \
        --output y.npy && $helper near y.npy $self/forward.out.npy 1e-5"
text="$ebb eval $cross --input $cross/forward.in.npy --timestep 731 --device cpu --output no.npy"
fails 2 'needs text 1' $text
fails 2 'shape (2, tokens, 6)' $text --text vector.npy
fails 2 'shape (2, 5)' $text --text states.npy --text-mask states.npy
fails 2 '--text-mask needs --text' $text --text-mask vector.npy
fails 2 'sees no such text' $text --text states.npy --second-text states.npy
fails 2 'takes none' $text --text states.npy --vector vector.npy
fails 2 'exclude each other' "$ebb" eval "$self" --input "$self/forward.in.npy" --timestep 1 \
    --vector vector.npy --label 1 --device cpu --output no.npy
fails 2 'UNet2DConditionModel' $text --decode
ok "nothing was written of these either" test ! -e no.npy

# ---- the mel that a network sees (against the definition in tests/audio; against the recipe in
# models/recipe) ----

ok "a sound to look at" "$ebb" render --model "$data/models/tiny-sfx" --label rain --device cpu -o seen.wav -q
ok "its mel" "$ebb" mel seen.wav -m "$data/models/tiny-sfx" -o mel.npy
ok "bands and frames are the model's" sh -c "$helper shape mel.npy | grep -q '(1, 1, '"
ok "the encoder takes it" "$ebb" eval "$vae" --input mel.npy --encode --device cpu --output z.npy
fails 2 'sound file' "$ebb" mel seen.wav
fails 2 'would replace the recording' "$ebb" mel seen.wav -m "$data/models/tiny-sfx" -o ./seen.wav
cp seen.wav other.wav
fails 2 'other.wav: expected a name that ends in .npy' "$ebb" mel seen.wav -m "$data/models/tiny-sfx" \
    -o other.wav
ok "another recording stays" cmp seen.wav other.wav
fails 3 'nosuch' "$ebb" mel seen.wav -m nosuch -o no.npy
fails 3 'nosuch.wav' "$ebb" mel nosuch.wav -o no.npy
fails 4 'text.npy' "$ebb" mel text.npy -o no.npy
fails 5 'no/such' "$ebb" mel seen.wav -o no/such.npy

# ---- models that are not what they seem ----

broken() { rm -rf broken && cp -r "$data/models/tiny-sfx" broken; }
broken && truncate -s 5000 broken/unet/diffusion_pytorch_model.safetensors
fails 4 'broken/unet' "$ebb" render --model ./broken --label rain -o no.wav --device cpu
broken && printf '\377\377\377\377\377\377\377\177' |
    dd of=broken/unet/diffusion_pytorch_model.safetensors conv=notrunc 2>dd.log
fails 4 'broken/unet' "$ebb" render --model ./broken --label rain -o no.wav --device cpu
broken && printf 'X' |
    dd of=broken/vae/diffusion_pytorch_model.safetensors bs=1 seek=20000 conv=notrunc 2>dd.log
fails 4 'broken/vae' "$ebb" render --model ./broken --label rain -o no.wav --device cpu
broken && echo '{"_class_name": "UNet2DModel", "layers_per_block": "two"}' >broken/unet/config.json
fails 4 'layers_per_block' "$ebb" info ./broken
broken && echo '{' >broken/ebb.json
fails 4 'ebb.json' "$ebb" info ./broken
broken && rm broken/unet/config.json
fails 3 'broken' "$ebb" info ./broken
fails 3 'nosuch' "$ebb" info nosuch
ok "no sound of what failed" test ! -e no.wav

done_testing
