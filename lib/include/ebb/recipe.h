// SPDX-License-Identifier: LGPL-2.1-or-later
// Recipes: a recipe says how a sound is to be made.
//
// A recipe has a verb (generate, stream, edit or denoise) and settings by name. A setting without a value
// is open: its initial value in the table of settings holds, or, where the table has none, the model
// decides. No special number stands for "open". ebb_model_settle() (model.h) gives open settings their
// values.
//
// ebb_setting_next() walks the table of settings. Command-line options, columns of lists, GStreamer
// properties, addresses, metadata and the tables in the documentation all come from this table.
#ifndef EBB_RECIPE_H
#define EBB_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ebb/error.h>

EBB_BEGIN_DECLS

// ---- the table ----

enum ebb_verb {
    EBB_VERB_GENERATE, // one sound
    EBB_VERB_STREAM,   // clips without end
    EBB_VERB_EDIT,     // a recording changed
    EBB_VERB_DENOISE,  // a recording cleaned
    EBB_VERBS,
};

enum ebb_setting_type {
    EBB_SETTING_FLAG,   // a number, 0 or 1; as text true, false, yes, no, 1, 0
    EBB_SETTING_WHOLE,  // a whole number
    EBB_SETTING_REAL,   // a finite number
    EBB_SETTING_SEED,   // uint64_t, 0..2^63-1
    EBB_SETTING_TEXT,   // UTF-8, no control characters, at most 4095 bytes
    EBB_SETTING_CHOICE, // one of the texts that `choice` lists
};

enum ebb_setting_role {
    EBB_ROLE_SOUND,  // for the library: how the sound is made
    EBB_ROLE_FINISH, // for the command, once the sound is made: trim, loudness, file format
    EBB_ROLE_RECORD, // a note about the sound, such as the model's hash; users do not set it
};

// A row of the table. Static; later releases add rows and remove none.
struct ebb_setting {
    const char *name; // "guidance-from"
    enum ebb_setting_type type;
    enum ebb_setting_role role;
    unsigned verbs;                      // bit 1 << verb for each verb that has the setting
    char letter;                         // the command's short option; 0: none
    const char *argument;                // the value's name in help: "S", "HZ"; NULL for a flag
    const char *unit;                    // "s", "Hz", "dB", "degrees"; NULL: a plain number, or no number
    double low, high;                    // range of numbers and seeds
    const char *initial;                 // value of an open setting, as text; NULL: the model decides
    const char *help;                    // the sentence of help, without range and initial value
    const char *(*choice)(size_t index); // choices: text `index`, NULL after the last
    const char *open; // what happens while it is open and has no initial value, in words; NULL: the model
                      // decides
};

// The first row for NULL, otherwise the one after `previous`; NULL after the last.
EBB_API const struct ebb_setting *ebb_setting_next(const struct ebb_setting *previous);
#define EBB_EACH_SETTING(row)                                                                                \
    for (const struct ebb_setting *row = ebb_setting_next(NULL); row; row = ebb_setting_next(row))

// The setting `name` of `verb`; NULL if the verb has none of that name: the error offers near names.
EBB_API const struct ebb_setting *ebb_setting_find(enum ebb_verb verb, const char *name,
                                                   struct ebb_error *error);

// Whether `verb` has the setting.
EBB_API bool ebb_setting_applies(const struct ebb_setting *row, enum ebb_verb verb);

// The allowed values in words: "0 to 1", "1 to 1000", "philox, torch". Writes at most `size` bytes; returns
// `text`.
EBB_API char *ebb_setting_range(const struct ebb_setting *row, char *text, size_t size);

// "generate", "stream", "edit", "denoise"; NULL outside the enum.
EBB_API const char *ebb_verb_name(enum ebb_verb verb);

// ---- recipes ----

struct ebb_recipe;

// A recipe with all settings open. NULL: out of memory, or `verb` is outside the enum.
EBB_API struct ebb_recipe *ebb_recipe_create(enum ebb_verb verb);
EBB_API struct ebb_recipe *ebb_recipe_copy(const struct ebb_recipe *recipe); // NULL: out of memory
EBB_API void ebb_recipe_destroy(struct ebb_recipe **recipe);

EBB_API enum ebb_verb ebb_recipe_verb(const struct ebb_recipe *recipe);

// Sets a setting from text, as a person writes it. EBB_NOT_FOUND: the verb has no setting of that name, or
// the text is none of the choices. EBB_INVALID: the text is no number, or the number is out of range. Every
// error names the setting, the value and the range.
EBB_API enum ebb_result ebb_recipe_set(struct ebb_recipe *recipe, const char *name, const char *text,
                                       struct ebb_error *error);
// Sets a flag, a whole or real number, or a seed below 2^53, from a number.
EBB_API enum ebb_result ebb_recipe_set_number(struct ebb_recipe *recipe, const char *name, double number,
                                              struct ebb_error *error);
// Sets a seed.
EBB_API enum ebb_result ebb_recipe_set_seed(struct ebb_recipe *recipe, const char *name, uint64_t seed,
                                            struct ebb_error *error);

// Leaves a setting open again. Nothing happens for a name that the verb does not have.
EBB_API void ebb_recipe_open(struct ebb_recipe *recipe, const char *name);

// Copies the settings that `from` has set into `recipe`, as far as the verb of `recipe` has them.
// EBB_OUT_OF_MEMORY: only some are copied.
EBB_API enum ebb_result ebb_recipe_merge(struct ebb_recipe *recipe, const struct ebb_recipe *from,
                                         struct ebb_error *error);

// Whether the setting has a value of its own, so is not open.
EBB_API bool ebb_recipe_has(const struct ebb_recipe *recipe, const char *name);

// The value of a setting, or its initial value while it is open. As a number: NAN where the model decides,
// and where the verb does not have the setting. As a seed: 0 while it is open.
EBB_API double ebb_recipe_number(const struct ebb_recipe *recipe, const char *name);
EBB_API uint64_t ebb_recipe_seed(const struct ebb_recipe *recipe, const char *name);
// As text: "" where the model decides; flags and numbers are written out. Owned by the recipe, valid until
// the setting changes.
EBB_API const char *ebb_recipe_text(const struct ebb_recipe *recipe, const char *name);

// Whether two recipes agree in verb, model, noise version and all settings. Other records, such as licence
// and device, do not count.
EBB_API bool ebb_recipe_same(const struct ebb_recipe *a, const struct ebb_recipe *b);

// ---- as text ----

// Writes the recipe as one line of JSON: verb, set settings and records. Writes at most `size` bytes, the
// final zero included. Returns the length of the whole text without the zero; 0: out of memory.
EBB_API size_t ebb_recipe_write(const struct ebb_recipe *recipe, char *text, size_t size);

// Reads a recipe from its line of JSON; the line may come from a stranger's file. NULL with the error
// filled: EBB_WRONG_TYPE: the text is no recipe of Ebb's; EBB_CORRUPT: the recipe is damaged;
// EBB_NOT_FOUND: the recipe has an unknown key, which the error names; EBB_UNSUPPORTED: its format or noise
// version is newer than this library.
EBB_API struct ebb_recipe *ebb_recipe_read(const char *text, struct ebb_error *error);

EBB_END_DECLS

#endif
