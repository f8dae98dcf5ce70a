#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes tests/golden/tokenizers: small tokenizers of every class that Ebb reads, and what transformers makes
of 200 awkward texts with them.

    python3 tests/golden/make_tokenizers.py [derived]
                                     # needs transformers 5, tokenizers, sentencepiece, protobuf

texts.json has the texts. A folder per tokenizer holds the files that transformers reads, and ids.json. The
vocabularies are trained here, on words that this script makes up or lists; equals among them fall as they
like, so that each run makes others. "derived" keeps them, and makes those that only hold them in other files.
"""

import json
import pathlib
import random
import shutil
import sys
import tempfile

import sentencepiece
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer, GPT2Tokenizer, RobertaTokenizer, T5Tokenizer

HERE = pathlib.Path(__file__).resolve().parent / "tokenizers"

WORDS = """rain on a tin roof the sound of wind in dry grass an old steam train leaves its station slowly
distant thunder dog barks twice behind closed door footsteps gravel someone's laughing children
play near river they're don't we've I'll she'd music with piano and deep bass 90 bpm 44100 Hz jazz
funk techno loop high quality recording low hum glass breaks Überraschung naïve café señor Ærø
Straße ﬁne Łódź İstanbul DIYARBAKIR ΣΊΣΥΦΟΣ Привет мир шум дождя 雨の音 屋根 東京 한국어 소리 हिन्दी ध्वनि
עברית العربية ไทย emoji 😀 👍🏽 🌧️ ½ ² ① … — “quotes” ‘single’ x=1; y<2 && z>=3
https://example.org/a?b=c#d""".split()

SPECIALS = "<|startoftext|> <|endoftext|> <s> </s> <pad> <unk> <mask> <extra_id_0> <extra_id_99>".split()


def awkward():
    """200 texts that a tokenizer can get wrong."""
    picked = random.Random(1)
    texts = [
        "", " ", "  ", "\n", "\t\t", " \n ", "a", " a", "a ", "  a  b  ", "A", "rain on a tin roof",
        "Rain On A Tin Roof", "RAIN ON A TIN ROOF!", "rain\non\ta\rtin\r\nroof",
        "rain\u00a0on\u2003a\u3000tin\u2028roof\u0085end", "rain,on;a:tin.roof", "don't", "DON'T",
        "they're we've I'll she'd I'm it's", "rock 'n' roll", "''''s", "'s's's", "' s", "dogs'",
        "'tis 'twas", "o'clock's", "don’t they’re", "it'S IT'S", "1", "12", "1234567890", "3.14159",
        "1,000,000", "44100 Hz", "90bpm", "a1b2c3", "½ cup", "x²", "①②③", "ⅣⅫ", "٣٤٥", "१२३", "１２３", "!",
        "!!!", "?!?!", "...", "…", "-- -", "a-b_c", "__init__", "#tag @you", "$5 €5 £5", "50% off",
        "a/b\\c", "(a) [b] {c}", "<a> <b/>", "\"quoted\"", "“quoted”", "x=1; y<2 && z>=3",
        "https://example.org/a?b=c#d", "me@example.org", "C++ C# .NET", "e\u0301", "é", "E\u0301", "café",
        "cafe\u0301", "naïve", "a\u0300\u0301\u0302\u0303", "q\u0323\u0307", "q\u0307\u0323", "\u0301",
        " \u0301", "\u0301\u0301a", "ﬁne ﬂow", "Å Å Å", "Straße STRASSE ẞ", "İstanbul", "ISTANBUL", "ıi",
        "ΣΊΣΥΦΟΣ", "σίσυφος", "ΟΔΟΣ", "Привет, МИР", "ЁЖИК", "Ǆ ǅ ǆ", "Ⓐ", "𝒜𝓫𝔠", "𐐀𐐨", "雨の音", "東京タワー",
        "屋根に雨", "ﾊﾝｶｸ ｶﾞ", "ガ ガ", "한국어 소리", "한국어", "हिन्दी ध्वनि", "क्षत्रिय", "தமிழ்", "ไทยแลนด์",
        "עִבְרִית", "العربية", "لا إله", "abc אבג def", "中文,标点。", "「雨」", "😀", "😀😀", "👍🏽", "👨‍👩‍👧‍👦", "🇩🇪🇫🇷",
        "🌧️ rain", "rain🌧rain", "❤️", "☔", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\u200b", "a\u200bb", "a\u200cb", "a\u200db",
        "\ufeffa", "a\u00adb", "a\u2060b", "a\u034fb", "\u0001", "a\u0001b", "\u0007\u0008",
        "\u001b[31mred", "\u007f", "a\u0080b", "a\u009fb", "\ufffd", "\ufffe", "\uffff", "\U0010ffff",
        "\ue000", "\u0378", "a\u202eb", "\u2066x\u2069", "▁", "▁a", "a▁b", "a▁▁b▁", "_▁_", "Ġ", "Ġa", "aĠb",
        "Ċ", "</w>", "a</w>", "a</w> b", "<0x41>", "<|startoftext|>", "<|endoftext|>", "a<|endoftext|>b",
        "a <|endoftext|> b", "<|ENDOFTEXT|>", "<|StartOfText|>x", "<|startoftext",
        "<|endoftext|><|endoftext|>", "<s>", "</s>", "a</s>b", "<s>a</s>", "<S>", "<pad> <unk>", "<mask>",
        "a <mask> b", "a   <mask>   b", "a<mask>b", "<mask><mask>", "<extra_id_0>",
        "a <extra_id_0> b<extra_id_99>c", "<extra_id_100>", "a tinroof b", "tinroof", "tinroofs",
        "a TinRoof.", "a tinroof  tinroof", "  steam train  ", "Steam Train", "\u0149", "ŉ", "ſ", "K Å",
        "㍿ ㎏", "ﷺ", "①a", "a  \n\n  b", "\n\n\na", "a\n\n\n", " \t a",
    ]  # fmt: skip
    texts.append(" ".join(picked.choice(WORDS) for _ in range(2000)))
    texts.append("a" * 3000)
    texts.append("rain" * 500)
    texts.append("!" * 1000)
    texts.append(" " * 1000 + "a")
    texts.append("\u0301" * 200)
    texts.append("😀" * 200)
    letters = "abcdefghijklmnopqrstuvwxyz"
    blocks = [
        (0x20, 0x7F),
        (0xA0, 0x250),
        (0x300, 0x370),
        (0x370, 0x530),
        (0x900, 0x980),
        (0x1E00, 0x2000),
        (0x2000, 0x2100),
    ]
    while len(texts) < 213:
        low, high = blocks[len(texts) % len(blocks)]
        noise = [chr(picked.randrange(low, high)) for _ in range(40)]
        texts.append("".join(picked.choice([picked.choice(letters), " ", n]) for n in noise))
    while len(texts) < 230:
        texts.append(" ".join(picked.choice(WORDS + SPECIALS) for _ in range(12)))
    return texts


def corpus():
    picked = random.Random(2)
    return [" ".join(picked.choice(WORDS) for _ in range(10)) for _ in range(600)]


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=None) + "\n", encoding="utf-8")


def begin(name, config, specials=None):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder / "tokenizer_config.json", config)
    if specials:
        write(folder / "special_tokens_map.json", specials)
    return folder


def train_bpe(folder, size, specials, clip=False):
    suffix = {"end_of_word_suffix": "</w>"} if clip else {}
    tokenizer = Tokenizer(models.BPE(**suffix))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = byte_level
    if clip:
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **suffix,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocab, merges = dict(model["vocab"]), model["merges"]
    if clip:  # CLIP's vocabulary has every byte twice, and its special tokens last
        for byte in pre_tokenizers.ByteLevel.alphabet():
            vocab.setdefault(byte + "</w>", len(vocab))
        for token in ("<|startoftext|>", "<|endoftext|>"):
            vocab[token] = len(vocab)
    write(folder / "vocab.json", vocab)
    lines = [" ".join(m) if isinstance(m, list) else m for m in merges]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")


def train_pieces(folder, size, rules=None):
    """T5's: <pad> 0, </s> 1, <unk> 2."""
    with tempfile.TemporaryDirectory() as work:
        text = pathlib.Path(work) / "text"
        text.write_text("\n".join(corpus()), encoding="utf-8")
        options = {"normalization_rule_name": "nmt_nfkc"}
        if rules:
            (pathlib.Path(work) / "rules").write_text(rules, encoding="utf-8")
            options = {"normalization_rule_tsv": f"{work}/rules"}
        sentencepiece.SentencePieceTrainer.train(
            input=str(text),
            model_prefix=f"{work}/spiece",
            vocab_size=size,
            model_type="unigram",
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            hard_vocab_limit=False,
            minloglevel=2,
            num_threads=1,
            **options,
        )
        shutil.copy(f"{work}/spiece.model", folder / "spiece.model")


def save(name, kind, source):
    """As transformers 5 saves it: in tokenizer.json."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    kind.from_pretrained(HERE / source).save_pretrained(folder)
    return folder


def save_old(name, source, processor=None):
    """As tokenizers of 2021 wrote it: merges are strings; sections say how to cut and to pad, which only who
    asks for it gets; what goes before and behind a text is a template, or a processor of RoBERTa's.
    """
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / source, folder, ignore=shutil.ignore_patterns("ids.json"))
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    whole["model"]["merges"] = [" ".join(pair) for pair in whole["model"]["merges"]]
    whole["truncation"] = {
        "direction": "Right",
        "max_length": 8,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    whole["padding"] = {
        "strategy": {"Fixed": 16},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 1,
        "pad_type_id": 0,
        "pad_token": "<pad>",
    }
    if processor:
        whole["post_processor"] = processor
    write(folder / "tokenizer.json", whole)


def added(content, **changes):
    return {
        "content": content,
        "lstrip": False,
        "normalized": True,
        "rstrip": False,
        "single_word": False,
        **changes,
    }


def derive():
    """The same tokenizers in other files."""
    save("roberta-json", RobertaTokenizer, "roberta")
    ids = json.loads((HERE / "roberta" / "vocab.json").read_text(encoding="utf-8"))
    begin_end = [{"SpecialToken": {"id": token, "type_id": 0}} for token in ("<s>", "</s>")]
    save_old(
        "roberta-json-old",
        "roberta-json",
        {
            "type": "TemplateProcessing",
            "single": [begin_end[0], {"Sequence": {"id": "A", "type_id": 0}}, begin_end[1]],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("<s>", "</s>")
            },
        },
    )
    save("gpt2-json", GPT2Tokenizer, "gpt2")
    save_old("clip-json-old", "clip-json")
    return {
        "roberta-json": RobertaTokenizer,
        "roberta-json-old": RobertaTokenizer,
        "gpt2-json": GPT2Tokenizer,
        "clip-json-old": CLIPTokenizer,
    }


def make_clip():
    """As stable-diffusion-v1 and riffusion-model-v1 have it."""
    names = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    named = {key: {"__type": "AddedToken", **added(value)} for key, value in names.items()}
    folder = begin(
        "clip",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>", **named},
        {**{key: added(value) for key, value in names.items()}, "pad_token": "<|endoftext|>"},
    )
    train_bpe(folder, 700, [], clip=True)


def copy_bpe(source, folder):
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(HERE / source / name, folder)


def make_clip_pad():
    """As stable-diffusion-2 pads: with "!"."""
    folder = begin("clip-pad", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16, "pad_token": "!"})
    copy_bpe("clip", folder)


def make_clip_json():
    """As transformers 5 saves it, with tokens that somebody added."""
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "clip")
    tokenizer.add_tokens([AddedToken("TinRoof", normalized=True, single_word=True), "steam train"])
    folder = HERE / "clip-json"
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer.save_pretrained(folder)


def make_roberta():
    folder = begin(
        "roberta",
        {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512, "add_prefix_space": False},
        {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "cls_token": "<s>",
            "mask_token": added("<mask>", lstrip=True, normalized=False),
        },
    )
    train_bpe(folder, 800, ["<s>", "<pad>", "</s>", "<unk>"])
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    write(folder / "vocab.json", {**vocab, "<mask>": len(vocab)})


def make_roberta_listed():
    """As transformers 4 saves it: the tokens are listed in the config."""
    vocab = json.loads((HERE / "roberta" / "vocab.json").read_text(encoding="utf-8"))
    listed = {
        str(i): added(t, normalized=True, special=True)
        for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>"])
    }
    listed[str(vocab["<mask>"])] = added("<mask>", lstrip=True, normalized=True, special=True)
    folder = begin(
        "roberta-listed",
        {
            "tokenizer_class": "RobertaTokenizerFast",
            "model_max_length": 512,
            "add_prefix_space": True,
            "added_tokens_decoder": listed,
        },
    )
    copy_bpe("roberta", folder)


def make_gpt2():
    folder = begin("gpt2", {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024})
    train_bpe(folder, 600, ["<|endoftext|>"])


def make_t5():
    extra = [f"<extra_id_{i}>" for i in range(100)]
    folder = begin(
        "t5",
        {
            "tokenizer_class": "T5Tokenizer",
            "model_max_length": 512,
            "extra_ids": 100,
            "additional_special_tokens": extra,
        },
    )
    train_pieces(folder, 520)


def make_t5_json():
    """tokenizer.json alone, with a small map of characters."""
    any_length = 1000000000000000019884624838656
    rules = "".join(
        " ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n"
        for a, b in [
            ("ﬁ", "fi"),
            ("…", "..."),
            ("\u0001", " "),
            ("e\u0301", "\u00e9"),
            ("\u212b", "\u00c5"),
            ("½", "1/2"),
            ("\u00a0", " "),
        ]
    )
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        write(
            work / "tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "model_max_length": any_length}
        )
        train_pieces(work, 480, rules)
        folder = HERE / "t5-json"
        shutil.rmtree(folder, ignore_errors=True)
        T5Tokenizer.from_pretrained(work).save_pretrained(folder)


# In this order: some are made of others.
MADE = {
    "clip": (CLIPTokenizer, make_clip),
    "clip-pad": (CLIPTokenizer, make_clip_pad),
    "clip-json": (CLIPTokenizer, make_clip_json),
    "roberta": (RobertaTokenizer, make_roberta),
    "roberta-listed": (RobertaTokenizer, make_roberta_listed),
    "gpt2": (GPT2Tokenizer, make_gpt2),
    "t5": (T5Tokenizer, make_t5),
    "t5-json": (T5Tokenizer, make_t5_json),
}


def main():
    texts = awkward()
    HERE.mkdir(exist_ok=True)
    write(HERE / "texts.json", {"texts": texts})
    for _, make in MADE.values():
        make()
    return {**{name: kind for name, (kind, _) in MADE.items()}, **derive()}


def write_ids(classes):
    texts = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))["texts"]
    for name, kind in classes.items():
        tokenizer = kind.from_pretrained(HERE / name)
        write(HERE / name / "ids.json", {"ids": [tokenizer(text)["input_ids"] for text in texts]})
        print(name, len(tokenizer))


write_ids(derive() if sys.argv[1:] == ["derived"] else main())
