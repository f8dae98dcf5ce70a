// SPDX-License-Identifier: LGPL-2.1-or-later
// Text, vocabularies and words by their definitions.
#include "text/bpe.h"
#include "text/charsmap.h"
#include "text/split.h"
#include "text/unigram.h"

#include "test.h"

static struct ebb_text text_of(const char *text)
{
    return (struct ebb_text){text, strlen(text)};
}

TEST(what_is_no_utf8_is_named)
{
    static const struct {
        const char *text;
        const char *place; // of the first byte that is wrong
    } cases[] = {{"ab\xff", "byte 2"},           {"\x80", "byte 0"},
                 {"a\xc0\xaf", "byte 1"},        {"\xed\xa0\x80", "byte 0"},
                 {"\xf4\x90\x80\x80", "byte 0"}, {"abc\xe9", "byte 3"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ebb_error error = {0};
        REQUIRE(ebb_text_check(cases[i].text, strlen(cases[i].text), &error) == EBB_INVALID);
        if (!strstr(error.message, cases[i].place))
            TEST_FAIL("%zu: %s", i, error.message);
    }
    REQUIRE(ebb_text_check("\xf0\x9f\x98\x80 \xc3\xa9 \xef\xbf\xbf", 11, NULL) == EBB_OK);
}

TEST(marks_on_one_letter_are_limited)
{
    char many[2 * 300 + 1] = "a";
    for (int i = 0; i < 299; i++)
        memcpy(many + 1 + 2 * i, "\xcc\x81", 2);
    struct ebb_error error = {0};
    struct ebb_text_buffer buffer = {0};
    REQUIRE(ebb_text_compose(text_of(many), &buffer, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "256"));
    many[1 + 2 * 200] = 0;
    REQUIRE(ebb_text_compose(text_of(many), &buffer, NULL) == EBB_OK);
    REQUIRE(buffer.size == 2 + 2 * 199 && memcmp(buffer.text, "\xc3\xa1", 2) == 0); // a and one mark become
                                                                                    // one
    ebb_text_clear(&buffer);
}

// The words of a text, joined by '|'.
static const char *words(ebb_split split, const char *text)
{
    static char joined[256];
    struct ebb_text rest = text_of(text), word;
    size_t used = 0;
    *joined = 0;
    while (split(&rest, &word))
        used += (size_t)snprintf(joined + used, sizeof(joined) - used, "%s%.*s", used ? "|" : "",
                                 (int)word.size, word.at);
    return joined;
}

TEST(words_are_divided_as_the_regular_expressions_say)
{
    REQUIRE_STRING(words(ebb_split_clip, " it's  12 dogs!! 'll"), "it|'s|1|2|dogs|!!|'ll");
    REQUIRE_STRING(words(ebb_split_clip, "a<|endoftext|>b"), "a|<|endoftext|>|b");
    REQUIRE_STRING(words(ebb_split_gpt2, "it's  12 dogs!!\n\n x "), "it|'s| | 12| dogs|!!|\n\n| x| ");
    REQUIRE_STRING(words(ebb_split_gpt2, "\tx"), "\t|x");
    REQUIRE_STRING(words(ebb_split_space, "\n a\xc2\xa0"
                                          "b  c"),
                   "a|b|c");
    REQUIRE_STRING(words(ebb_split_clip, ""), "");
    REQUIRE_STRING(words(ebb_split_gpt2, ""), "");
}

// The pair with the least rank is merged first, wherever it is; then the next.
TEST(pairs_are_merged_in_the_order_of_their_ranks)
{
    static const char *const tokens[] = {"a", "b", "c", "ab", "bc", "abc", "aa"};
    struct ebb_vocabulary *vocabulary = ebb_vocabulary_create();
    for (int i = 0; i < 7; i++)
        REQUIRE(ebb_vocabulary_add(vocabulary, text_of(tokens[i]), i, NULL) == EBB_OK);
    struct ebb_bpe *bpe = ebb_bpe_create(vocabulary, "", -1, NULL);
    REQUIRE(bpe != NULL);
    REQUIRE(ebb_bpe_add(bpe, text_of("b"), text_of("c"), NULL) == EBB_OK);
    REQUIRE(ebb_bpe_add(bpe, text_of("a"), text_of("a"), NULL) == EBB_OK);
    REQUIRE(ebb_bpe_add(bpe, text_of("a"), text_of("b"), NULL) == EBB_OK);
    REQUIRE(ebb_bpe_add(bpe, text_of("a"), text_of("bc"), NULL) == EBB_OK);
    struct ebb_error error = {0};
    REQUIRE(ebb_bpe_add(bpe, text_of("c"), text_of("a"), &error) == EBB_CORRUPT);
    REQUIRE(strstr(error.message, "merge 5") && strstr(error.message, "\"ca\""));

    struct ebb_tokens ids = {0};
    REQUIRE(ebb_bpe_encode(bpe, text_of("aaabcab?"), &ids, NULL) == EBB_OK); // "?" is in no token
    static const int want[] = {6, 5, 3};
    REQUIRE(ids.count == 3 && memcmp(ids.id, want, sizeof(want)) == 0);
    ebb_tokens_clear(&ids);
    ebb_bpe_destroy(&bpe);
    ebb_vocabulary_destroy(&vocabulary);
}

// All ways to divide a word, tried one by one.
static double best_score(const char *word, const char *const *pieces, const double *scores, int count)
{
    double best = *word ? -INFINITY : 0;
    for (int i = 0; *word && i < count; i++)
        if (strncmp(word, pieces[i], strlen(pieces[i])) == 0)
            best = fmax(best, scores[i] + best_score(word + strlen(pieces[i]), pieces, scores, count));
    return best;
}

TEST(the_division_with_the_largest_score_is_found)
{
    static const char *const pieces[] = {"a", "b", "ab", "ba", "aba", "bab"};
    static const double scores[] = {-2, -3, -2.5, -4.25, -5.125, -6.5};
    struct ebb_unigram *unigram = ebb_unigram_create();
    for (int i = 0; i < 6; i++)
        REQUIRE(ebb_unigram_add(unigram, text_of(pieces[i]), scores[i], NULL) == EBB_OK);
    REQUIRE(ebb_unigram_add(unigram, text_of("x"), NAN, NULL) == EBB_CORRUPT);
    for (int number = 1; number < 512; number++) { // the words of a and b
        char word[10];
        int length = 0;
        for (int n = number; n > 1; n /= 2)
            word[length++] = n % 2 ? 'b' : 'a';
        word[length] = 0;
        struct ebb_tokens ids = {0};
        double score = 0;
        char again[64] = "";
        REQUIRE(ebb_unigram_encode(unigram, text_of(word), 7, &ids, NULL) == EBB_OK);
        for (size_t i = 0; i < ids.count; i++) {
            score += scores[ids.id[i]];
            strcat(again, pieces[ids.id[i]]);
        }
        REQUIRE_STRING(again, word);
        REQUIRE_NEAR(score, best_score(word, pieces, scores, 6), 0, word);
        ebb_tokens_clear(&ids);
    }
    struct ebb_tokens ids = {0};
    REQUIRE(ebb_unigram_encode(unigram, text_of("\xc3\xa9zab?"), 7, &ids, NULL) == EBB_OK);
    static const int want[] = {7, 2, 7}; // a row of unknown characters is one token
    REQUIRE(ids.count == 3 && memcmp(ids.id, want, sizeof(want)) == 0);
    ebb_tokens_clear(&ids);
    ebb_unigram_destroy(&unigram);
}

TEST(a_map_of_characters_with_wild_numbers_reads_nothing_outside)
{
    unsigned char map[4 + 64 * 4 + 8] = {64 * 4 % 256, 64 * 4 / 256};
    memcpy(map + 4 + 64 * 4, "x\0yy\0z", 7);
    unsigned state = 1;
    for (int round = 0; round < 2000; round++) {
        for (int i = 4; i < 4 + 64 * 4; i++)
            map[i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
        struct ebb_charsmap *m = ebb_charsmap_create(map, sizeof(map), NULL);
        REQUIRE(m != NULL);
        struct ebb_text_buffer buffer = {0};
        for (int c = 1; c < 0x250; c++)
            ebb_text_add_character(&buffer, c);
        struct ebb_text_buffer out = {0};
        ebb_charsmap_apply(m, (struct ebb_text){buffer.text, buffer.size}, &out);
        ebb_text_clear(&buffer);
        ebb_text_clear(&out);
        ebb_charsmap_destroy(&m);
    }
    for (size_t size = 0; size < 12; size++)
        REQUIRE(!ebb_charsmap_create(map, size, NULL));
    REQUIRE(!ebb_charsmap_create_base64("!!", NULL));
    REQUIRE(!ebb_charsmap_create_base64("", NULL));
}

TEST_MAIN
