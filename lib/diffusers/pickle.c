// SPDX-License-Identifier: LGPL-2.1-or-later
// The machine of Python's pickletools, less everything that would run code. Values are descriptions in one
// list; a value refers to others by number, so that what refers to itself does no harm, and nothing here
// recurses. Every opcode makes at most one value, so the pickle's bytes bound the memory.
#include "diffusers/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/byte_order.h"

enum { MOST_VALUES = 1 << 20 };

// ---- what a pickle may ask for ----

enum called { CALL_NOTHING, CALL_DICT, CALL_TENSOR, CALL_PARAMETER, CALL_SIZE };

static const struct global {
    const char *module, *name;
    enum called called;
    const char *dtype; // of a kind of storage
    unsigned bits;
} globals[] = {
    {"collections", "OrderedDict", CALL_DICT, NULL, 0},
    {"torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, NULL, 0},
    {"torch._utils", "_rebuild_tensor", CALL_TENSOR, NULL, 0},
    {"torch._utils", "_rebuild_parameter", CALL_PARAMETER, NULL, 0},
    {"torch", "Size", CALL_SIZE, NULL, 0},
    {"torch", "FloatStorage", CALL_NOTHING, "F32", 32},
    {"torch", "HalfStorage", CALL_NOTHING, "F16", 16},
    {"torch", "BFloat16Storage", CALL_NOTHING, "BF16", 16},
    {"torch", "DoubleStorage", CALL_NOTHING, "F64", 64},
    {"torch", "LongStorage", CALL_NOTHING, "I64", 64},
    {"torch", "IntStorage", CALL_NOTHING, "I32", 32},
    {"torch", "ShortStorage", CALL_NOTHING, "I16", 16},
    {"torch", "CharStorage", CALL_NOTHING, "I8", 8},
    {"torch", "ByteStorage", CALL_NOTHING, "U8", 8},
    {"torch", "BoolStorage", CALL_NOTHING, "BOOL", 8},
};

// ---- values ----

enum value_kind {
    KIND_NONE, // and whatever number a state dict has beside its tensors
    KIND_INT,  // truth values too
    KIND_TEXT,
    KIND_LIST, // and tuple
    KIND_DICT,
    KIND_GLOBAL,
    KIND_STORAGE,
    KIND_TENSOR,
};

struct value {
    enum value_kind kind;
    int64_t number;   // of int; index of global; of tensor in `tensors`
    const char *text; // of text; of storage: its key
    size_t length;
    int first, last, count; // items of a list or dict
    const struct global *type;
    uint64_t numbers; // of storage
};

struct item {
    int key, value, next; // key: of a dict, otherwise -1
};

struct pickle_machine {
    const unsigned char *data;
    size_t size, at;
    const char *path;
    struct ebb_error *error;
    enum ebb_result result;

    struct value *values;
    struct item *items;
    struct ebb_pickle_tensor *tensors;
    int *stack, *memo; // numbers of values; -1: a mark, an empty place
    int value_count, item_count, tensor_count, depth, memo_count;
    int value_room, item_room, tensor_room, stack_room, memo_room;
    int result_value; // once STOP came, otherwise -1
};

static void fail(struct pickle_machine *m, enum ebb_result code, const char *what)
{
    if (m->result == EBB_OK)
        m->result = ebb_fail(m->error, code, "%s: data.pkl: %s at byte %zu", m->path, what, m->at);
}

// Room for one more in a list that grows.
static bool grow(struct pickle_machine *m, void **list, int count, int *room, size_t size)
{
    if (m->result != EBB_OK)
        return false;
    if (count < *room)
        return true;
    int more = *room ? 2 * *room : 256;
    void *bigger = count < MOST_VALUES ? realloc(*list, (size_t)more * size) : NULL;
    if (!bigger) {
        fail(m, count < MOST_VALUES ? EBB_OUT_OF_MEMORY : EBB_CORRUPT,
             count < MOST_VALUES ? "no memory" : "more than a state dict can need");
        return false;
    }
    *list = bigger;
    *room = more;
    return true;
}

static void push(struct pickle_machine *m, int value)
{
    if (grow(m, (void **)&m->stack, m->depth, &m->stack_room, sizeof(*m->stack)))
        m->stack[m->depth++] = value;
}

// Returns the number of the new value; 0 after a failure, when nothing is read any more.
static int add(struct pickle_machine *m, struct value value)
{
    if (!grow(m, (void **)&m->values, m->value_count, &m->value_room, sizeof(*m->values)))
        return 0;
    value.first = value.last = -1;
    m->values[m->value_count] = value;
    return m->value_count++;
}

static void push_new(struct pickle_machine *m, struct value value)
{
    push(m, add(m, value));
}

// The value on top, which must be there and no mark; 0 after a failure.
static int pop(struct pickle_machine *m)
{
    if (m->result == EBB_OK && m->depth > 0 && m->stack[m->depth - 1] >= 0)
        return m->stack[--m->depth];
    fail(m, EBB_CORRUPT, "a value is missing");
    return 0;
}

static void append(struct pickle_machine *m, int list, int key, int value)
{
    if (!grow(m, (void **)&m->items, m->item_count, &m->item_room, sizeof(*m->items)))
        return;
    struct value *to = &m->values[list];
    m->items[m->item_count] = (struct item){key, value, -1};
    if (to->last >= 0)
        m->items[to->last].next = m->item_count;
    else
        to->first = m->item_count;
    to->last = m->item_count++;
    to->count++;
}

static const struct value *item_at(const struct pickle_machine *m, const struct value *list, int index)
{
    int at = list->kind == KIND_LIST && index < list->count ? list->first : -1;
    for (int i = 0; i < index && at >= 0; i++)
        at = m->items[at].next;
    return at >= 0 ? &m->values[m->items[at].value] : NULL;
}

static bool is_whole(const struct value *value)
{
    return value && value->kind == KIND_INT && value->number >= 0;
}

// ---- calls ----

static bool read_counts(const struct pickle_machine *m, const struct value *list, int rank, uint64_t *out)
{
    bool good = list && list->kind == KIND_LIST && list->count == rank;
    int at = good ? list->first : -1;
    for (int i = 0; good && i < rank; i++, at = m->items[at].next) {
        good = is_whole(&m->values[m->items[at].value]);
        out[i] = good ? (uint64_t)m->values[m->items[at].value].number : 0;
    }
    return good;
}

// (storage, offset, shape, stride, ...)
static void rebuild_tensor(struct pickle_machine *m, const struct value *arguments)
{
    const struct value *storage = item_at(m, arguments, 0), *offset = item_at(m, arguments, 1),
                       *shape = item_at(m, arguments, 2);
    int rank = shape && shape->kind == KIND_LIST ? shape->count : EBB_PICKLE_RANK + 1;
    struct ebb_pickle_tensor tensor = {.rank = rank};
    if (!storage || storage->kind != KIND_STORAGE || !is_whole(offset) || rank > EBB_PICKLE_RANK ||
        !read_counts(m, shape, rank, tensor.shape) ||
        !read_counts(m, item_at(m, arguments, 3), rank, tensor.stride)) {
        fail(m, EBB_CORRUPT, "a tensor without storage, offset, shape and strides");
        return;
    }
    tensor.storage = storage->text;
    tensor.storage_length = storage->length;
    tensor.dtype = storage->type->dtype;
    tensor.bits = storage->type->bits;
    tensor.numbers = storage->numbers;
    tensor.offset = (uint64_t)offset->number;
    if (!grow(m, (void **)&m->tensors, m->tensor_count, &m->tensor_room, sizeof(*m->tensors)))
        return;
    m->tensors[m->tensor_count] = tensor;
    push_new(m, (struct value){.kind = KIND_TENSOR, .number = m->tensor_count++});
}

// A dict from nothing, or from a list of pairs, as Python 2 wrote it.
static void make_dict(struct pickle_machine *m, int arguments)
{
    const struct value *pairs = item_at(m, &m->values[arguments], 0);
    int dict = add(m, (struct value){.kind = KIND_DICT}); // may move the values
    pairs = pairs ? item_at(m, &m->values[arguments], 0) : NULL;
    int at = pairs && pairs->kind == KIND_LIST ? pairs->first : -1;
    for (; at >= 0 && m->result == EBB_OK; at = m->items[at].next) {
        const struct value *pair = &m->values[m->items[at].value];
        if (pair->kind != KIND_LIST || pair->count != 2)
            fail(m, EBB_CORRUPT, "a dict of something else than pairs");
        else
            append(m, dict, m->items[pair->first].value, m->items[pair->last].value);
    }
    push(m, dict);
}

static void op_reduce(struct pickle_machine *m)
{
    int arguments = pop(m), function = pop(m);
    if (m->result != EBB_OK)
        return;
    const struct value *called = &m->values[function];
    enum called what = called->kind == KIND_GLOBAL ? called->type->called : CALL_NOTHING;
    const struct value *first = item_at(m, &m->values[arguments], 0);
    if (m->values[arguments].kind != KIND_LIST || what == CALL_NOTHING)
        fail(m, EBB_UNSUPPORTED, "a call of something that is no function of a state dict");
    else if (what == CALL_TENSOR)
        rebuild_tensor(m, &m->values[arguments]);
    else if (what == CALL_DICT)
        make_dict(m, arguments);
    else if (first && first->kind == (what == CALL_SIZE ? KIND_LIST : KIND_TENSOR))
        push(m, (int)(first - m->values));
    else
        fail(m, EBB_CORRUPT, "a call without its argument");
}

// ('storage', type, key, location, count)
static void op_storage(struct pickle_machine *m)
{
    int id = pop(m);
    if (m->result != EBB_OK)
        return;
    const struct value *tuple = &m->values[id], *word = item_at(m, tuple, 0), *type = item_at(m, tuple, 1),
                       *key = item_at(m, tuple, 2), *count = item_at(m, tuple, 4);
    bool good = word && word->kind == KIND_TEXT && word->length == 7 && memcmp(word->text, "storage", 7) == 0;
    good = good && type && type->kind == KIND_GLOBAL && type->type->dtype && key && key->kind == KIND_TEXT &&
           is_whole(count);
    if (good)
        push_new(m, (struct value){.kind = KIND_STORAGE,
                                   .type = type->type,
                                   .text = key->text,
                                   .length = key->length,
                                   .numbers = (uint64_t)count->number});
    else
        fail(m, EBB_CORRUPT, "a reference to something else than a storage");
}

static void push_global(struct pickle_machine *m, const char *module, size_t module_length, const char *name,
                        size_t name_length)
{
    for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++)
        if (strlen(globals[i].module) == module_length && strlen(globals[i].name) == name_length &&
            memcmp(globals[i].module, module, module_length) == 0 &&
            memcmp(globals[i].name, name, name_length) == 0) {
            push_new(m, (struct value){.kind = KIND_GLOBAL, .type = &globals[i]});
            return;
        }
    char words[200];
    int used = snprintf(words, sizeof(words), "it asks for %.*s.%.*s, which is no part of a state dict",
                        module_length < 60 ? (int)module_length : 60, module,
                        name_length < 60 ? (int)name_length : 60, name);
    for (int i = 0; i < used && i < (int)sizeof(words); i++)
        if ((unsigned char)words[i] < 0x20 || words[i] == 0x7f)
            words[i] = '?';
    fail(m, EBB_UNSUPPORTED, words);
}

static void op_stack_global(struct pickle_machine *m)
{
    int name = pop(m), module = pop(m);
    if (m->result != EBB_OK)
        return;
    const struct value *a = &m->values[module], *b = &m->values[name];
    if (a->kind == KIND_TEXT && b->kind == KIND_TEXT)
        push_global(m, a->text, a->length, b->text, b->length);
    else
        fail(m, EBB_CORRUPT, "a global without a name");
}

// ---- containers ----

// Index in the stack after the last mark, which is taken away from there; everything above belongs to the
// caller. -1: there is none.
static int find_mark(struct pickle_machine *m)
{
    int at = m->depth - 1;
    while (at >= 0 && m->stack[at] >= 0)
        at--;
    if (at < 0)
        fail(m, EBB_CORRUPT, "a mark is missing");
    return at < 0 ? -1 : at + 1;
}

// The last `count` values become a list.
static void gather(struct pickle_machine *m, int from, int below)
{
    int list = add(m, (struct value){.kind = KIND_LIST});
    for (int i = from; i < m->depth && m->result == EBB_OK; i++)
        append(m, list, -1, m->stack[i]);
    m->depth = below;
    push(m, list);
}

static void gather_count(struct pickle_machine *m, int count)
{
    bool there = m->depth >= count;
    for (int i = m->depth - count; there && i < m->depth; i++)
        there = m->stack[i] >= 0;
    if (there)
        gather(m, m->depth - count, m->depth - count);
    else
        fail(m, EBB_CORRUPT, "a value is missing");
}

static void op_tuple(struct pickle_machine *m)
{
    int from = find_mark(m);
    if (from >= 0)
        gather(m, from, from - 1);
}

static void op_tuple1(struct pickle_machine *m)
{
    gather_count(m, 1);
}

static void op_tuple2(struct pickle_machine *m)
{
    gather_count(m, 2);
}

static void op_tuple3(struct pickle_machine *m)
{
    gather_count(m, 3);
}

// The list or dict below a mark (at `below`); 0 with a failure where there is none.
static int container(struct pickle_machine *m, int below, enum value_kind kind)
{
    int value = below >= 0 ? m->stack[below] : -1;
    if (value >= 0 && m->values[value].kind == kind)
        return value;
    fail(m, EBB_CORRUPT,
         kind == KIND_DICT ? "items for something that is no dict" : "items for something that is no list");
    return 0;
}

static void append_all(struct pickle_machine *m, int from, int below)
{
    int list = container(m, below - 1, KIND_LIST);
    for (int i = from; i < m->depth && m->result == EBB_OK; i++)
        append(m, list, -1, m->stack[i]);
    m->depth = m->result == EBB_OK ? below : m->depth;
}

static void set_all(struct pickle_machine *m, int from, int below)
{
    int dict = container(m, below - 1, KIND_DICT);
    if ((m->depth - from) % 2)
        fail(m, EBB_CORRUPT, "a key without a value");
    for (int i = from; i < m->depth && m->result == EBB_OK; i += 2)
        append(m, dict, m->stack[i], m->stack[i + 1]);
    m->depth = m->result == EBB_OK ? below : m->depth;
}

static void op_appends(struct pickle_machine *m)
{
    int from = find_mark(m);
    if (from >= 0)
        append_all(m, from, from - 1);
}

static void op_setitems(struct pickle_machine *m)
{
    int from = find_mark(m);
    if (from >= 0)
        set_all(m, from, from - 1);
}

static bool has_above(struct pickle_machine *m, int count)
{
    for (int i = 1; i <= count; i++)
        if (m->depth < i || m->stack[m->depth - i] < 0) {
            fail(m, EBB_CORRUPT, "a value is missing");
            return false;
        }
    return true;
}

static void op_append(struct pickle_machine *m)
{
    if (has_above(m, 1))
        append_all(m, m->depth - 1, m->depth - 1);
}

static void op_setitem(struct pickle_machine *m)
{
    if (has_above(m, 2))
        set_all(m, m->depth - 2, m->depth - 2);
}

// What an object gets beside its items: `_metadata` of a state dict, which nobody needs.
static void op_build(struct pickle_machine *m)
{
    pop(m);
    if (has_above(m, 1) && m->values[m->stack[m->depth - 1]].kind == KIND_GLOBAL)
        fail(m, EBB_CORRUPT, "a state for something that has none");
}

// ---- the rest ----

static void op_mark(struct pickle_machine *m)
{
    push(m, -1);
}

static void op_pop(struct pickle_machine *m)
{
    if (m->depth > 0)
        m->depth--;
    else
        fail(m, EBB_CORRUPT, "a value is missing");
}

static void op_none(struct pickle_machine *m)
{
    push_new(m, (struct value){.kind = KIND_NONE});
}

static void op_true(struct pickle_machine *m)
{
    push_new(m, (struct value){.kind = KIND_INT, .number = 1});
}

static void op_false(struct pickle_machine *m)
{
    push_new(m, (struct value){.kind = KIND_INT});
}

static void op_list(struct pickle_machine *m)
{
    push_new(m, (struct value){.kind = KIND_LIST});
}

static void op_dict(struct pickle_machine *m)
{
    push_new(m, (struct value){.kind = KIND_DICT});
}

static void op_stop(struct pickle_machine *m)
{
    m->result_value = pop(m);
}

static void op_nothing(struct pickle_machine *m)
{
}

// With a number.

static void int_is(struct pickle_machine *m, uint64_t number)
{
    push_new(m, (struct value){.kind = KIND_INT, .number = (int64_t)number});
}

static void int32_is(struct pickle_machine *m, uint64_t number)
{
    push_new(m, (struct value){.kind = KIND_INT, .number = (int32_t)(uint32_t)number});
}

static void float_is(struct pickle_machine *m, uint64_t number)
{
    op_none(m);
}

static void protocol_is(struct pickle_machine *m, uint64_t number)
{
    if (number < 2 || number > 5)
        fail(m, EBB_UNSUPPORTED, "a protocol other than 2 to 5");
}

static void memo_put(struct pickle_machine *m, uint64_t index)
{
    if (!has_above(m, 1))
        return;
    if (index >= MOST_VALUES) {
        fail(m, EBB_CORRUPT, "a memo of more than a state dict can need");
        return;
    }
    while ((uint64_t)m->memo_count <= index) {
        if (!grow(m, (void **)&m->memo, m->memo_count, &m->memo_room, sizeof(*m->memo)))
            return;
        m->memo[m->memo_count++] = -1;
    }
    m->memo[index] = m->stack[m->depth - 1];
}

static void memo_get(struct pickle_machine *m, uint64_t index)
{
    if (index < (uint64_t)m->memo_count && m->memo[index] >= 0)
        push(m, m->memo[index]);
    else
        fail(m, EBB_CORRUPT, "a memo that was never written");
}

static void op_memoize(struct pickle_machine *m)
{
    memo_put(m, (uint64_t)m->memo_count);
}

// With bytes.

static void text_is(struct pickle_machine *m, const char *text, size_t length)
{
    push_new(m, (struct value){.kind = KIND_TEXT, .text = text, .length = length});
}

// A number of any length, lowest byte first.
static void long_is(struct pickle_machine *m, const char *text, size_t length)
{
    uint64_t number = length && (unsigned char)text[length - 1] >= 0x80 ? UINT64_MAX : 0;
    if (length > 8) // no size of a tensor: it is not a whole number of 64 bits
        op_none(m);
    for (size_t i = length; length <= 8 && i > 0; i--)
        number = number << 8 | (unsigned char)text[i - 1];
    if (length <= 8)
        int_is(m, number);
}

// ---- opcodes ----

static const struct opcode {
    void (*plain)(struct pickle_machine *m);
    int bytes; // of the number or the length that follows
    void (*number)(struct pickle_machine *m, uint64_t number);
    // `length` bytes follow the number.
    void (*text)(struct pickle_machine *m, const char *text, size_t length);
} opcodes[256] = {
    ['('] = {.plain = op_mark},
    [')'] = {.plain = op_list}, // the empty tuple
    [']'] = {.plain = op_list},
    ['}'] = {.plain = op_dict},
    ['t'] = {.plain = op_tuple},
    [0x85] = {.plain = op_tuple1},
    [0x86] = {.plain = op_tuple2},
    [0x87] = {.plain = op_tuple3},
    ['a'] = {.plain = op_append},
    ['e'] = {.plain = op_appends},
    ['s'] = {.plain = op_setitem},
    ['u'] = {.plain = op_setitems},
    ['N'] = {.plain = op_none},
    [0x88] = {.plain = op_true},
    [0x89] = {.plain = op_false},
    ['0'] = {.plain = op_pop},
    ['R'] = {.plain = op_reduce},
    ['b'] = {.plain = op_build},
    ['Q'] = {.plain = op_storage},
    ['.'] = {.plain = op_stop},
    [0x93] = {.plain = op_stack_global},
    [0x94] = {.plain = op_memoize},
    [0x80] = {.bytes = 1, .number = protocol_is},
    ['K'] = {.bytes = 1, .number = int_is},
    ['M'] = {.bytes = 2, .number = int_is},
    ['J'] = {.bytes = 4, .number = int32_is},
    ['G'] = {.bytes = 8, .number = float_is},
    ['q'] = {.bytes = 1, .number = memo_put},
    ['r'] = {.bytes = 4, .number = memo_put},
    ['h'] = {.bytes = 1, .number = memo_get},
    ['j'] = {.bytes = 4, .number = memo_get},
    [0x95] = {.bytes = 8, .plain = op_nothing}, // a frame: only how many bytes come
    ['X'] = {.bytes = 4, .text = text_is},
    [0x8c] = {.bytes = 1, .text = text_is},
    [0x8d] = {.bytes = 8, .text = text_is},
    ['U'] = {.bytes = 1, .text = text_is},
    ['T'] = {.bytes = 4, .text = text_is},
    [0x8a] = {.bytes = 1, .text = long_is},
};

// Up to the end of the line, without it.
static const char *read_line(struct pickle_machine *m, size_t *length)
{
    const char *line = (const char *)m->data + m->at, *end = memchr(line, '\n', m->size - m->at);
    if (!end) {
        fail(m, EBB_CORRUPT, "it ends early");
        return NULL;
    }
    *length = (size_t)(end - line);
    m->at += *length + 1;
    return line;
}

static void op_global(struct pickle_machine *m)
{
    size_t module_length = 0, name_length = 0;
    const char *module = read_line(m, &module_length), *name = module ? read_line(m, &name_length) : NULL;
    if (name)
        push_global(m, module, module_length, name, name_length);
}

static void step(struct pickle_machine *m)
{
    unsigned char code = m->data[m->at++];
    const struct opcode *opcode = &opcodes[code];
    if (code == 'c') {
        op_global(m);
        return;
    }
    if (!opcode->plain && !opcode->number && !opcode->text) {
        char words[64];
        snprintf(words, sizeof(words), "opcode 0x%02x, which no state dict needs,", code);
        fail(m, EBB_UNSUPPORTED, words);
        return;
    }
    if ((size_t)opcode->bytes > m->size - m->at) {
        fail(m, EBB_CORRUPT, "it ends early");
        return;
    }
    uint64_t number = ebb_little(m->data + m->at, opcode->bytes);
    m->at += (size_t)opcode->bytes;
    if (opcode->text && number > m->size - m->at) {
        fail(m, EBB_CORRUPT, "it ends early");
        return;
    }
    if (opcode->text) {
        m->at += (size_t)number;
        opcode->text(m, (const char *)m->data + m->at - number, (size_t)number);
    } else if (opcode->number) {
        opcode->number(m, number);
    } else {
        opcode->plain(m);
    }
}

// ---- the state dict ----

static bool text_equals(const struct value *value, const char *text)
{
    return value->kind == KIND_TEXT && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}

// A training's checkpoint has the state dict under this name.
static int find_state_dict(const struct pickle_machine *m)
{
    const struct value *top = &m->values[m->result_value];
    for (int at = top->first; top->kind == KIND_DICT && at >= 0; at = m->items[at].next)
        if (m->items[at].key >= 0 && text_equals(&m->values[m->items[at].key], "state_dict") &&
            m->values[m->items[at].value].kind == KIND_DICT)
            return m->items[at].value;
    return m->result_value;
}

static enum ebb_result collect(struct pickle_machine *m, int most, struct ebb_pickle_tensor **tensors,
                               int *count)
{
    const struct value *dict = &m->values[find_state_dict(m)];
    if (dict->kind != KIND_DICT)
        fail(m, EBB_CORRUPT, "something else than a state dict");
    if (m->result == EBB_OK && dict->count > most)
        return ebb_fail(m->error, EBB_CORRUPT, "%s: %d tensors, expected at most %d", m->path, dict->count,
                        most);
    *tensors = m->result == EBB_OK ? ebb_alloc((size_t)dict->count, sizeof(**tensors)) : NULL;
    if (!*tensors)
        fail(m, EBB_OUT_OF_MEMORY, "no memory");
    for (int at = dict->first; m->result == EBB_OK && at >= 0; at = m->items[at].next) {
        const struct value *key = &m->values[m->items[at].key], *value = &m->values[m->items[at].value];
        if (value->kind != KIND_TENSOR)
            continue;
        if (key->kind != KIND_TEXT || memchr(key->text, 0, key->length))
            fail(m, EBB_CORRUPT, "a tensor whose name is no text");
        struct ebb_pickle_tensor *tensor = &(*tensors)[(*count)++];
        *tensor = m->tensors[value->number];
        tensor->name = key->text;
        tensor->name_length = key->length;
    }
    return m->result;
}

enum ebb_result ebb_pickle_read(const unsigned char *data, size_t size, const char *path, int most,
                                struct ebb_pickle_tensor **tensors, int *count, struct ebb_error *error)
{
    struct pickle_machine m = {.data = data, .size = size, .path = path, .error = error, .result_value = -1};
    *tensors = NULL;
    *count = 0;
    while (m.result == EBB_OK && m.result_value < 0 && m.at < m.size)
        step(&m);
    if (m.result == EBB_OK && m.result_value < 0)
        fail(&m, EBB_CORRUPT, "it ends early");
    if (m.result == EBB_OK)
        m.result = collect(&m, most, tensors, count);
    if (m.result != EBB_OK) {
        free(*tensors);
        *tensors = NULL;
        *count = 0;
    }
    free(m.values);
    free(m.items);
    free(m.tensors);
    free(m.stack);
    free(m.memo);
    return m.result;
}
