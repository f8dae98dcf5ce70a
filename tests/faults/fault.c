// SPDX-License-Identifier: LGPL-2.1-or-later
// A library to preload: it makes one call of Ebb's own code fail, and counts what that code allocated and did
// not free. GLib ends the process when g_malloc() fails, and other libraries are not ours to mend: so only
// calls that come from the command ebb, libebb and the plugin are counted or fail, told by their return
// address.
//   EBB_FAULT=KIND:N[@STACK][+]:ERROR   the Nth call of this kind, of those with this stack, fails; with +,
//   it
//                                       and all after it
//   EBB_FAULT_REPORT=FILE   at the end: calls of each kind, blocks not freed, descriptors not closed
//   EBB_FAULT_STACKS=1      and of each kind the stacks of its calls, and how many had each
// KIND is a name of `kinds` below. ERROR is ENOMEM, EAGAIN, EIO, ENOSPC, EINTR, SHORT: half the bytes, or
// LOST: of a submit to a GPU.
#undef _FILE_OFFSET_BITS // open() and open64() are two names here, each with a function of its own
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum call_kind { ALLOC, THREAD, OPEN, READ, WRITE, SYNC, CLOSE, RENAME, LINK, MKDIR, STAT, SUBMIT, KINDS };
static const char *const kinds[KINDS] = {"alloc", "thread", "open", "read",  "write", "sync",
                                         "close", "rename", "link", "mkdir", "stat",  "submit"};
static const struct {
    const char *name;
    int number; // 0: half the bytes
} errors[] = {{"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}, {"EIO", EIO}, {"ENOSPC", ENOSPC},
              {"EINTR", EINTR},   {"SHORT", 0},       {"LOST", EIO}};

static atomic_long calls[KINDS];
static struct {
    enum call_kind kind;
    long at;        // 0: nothing fails
    uint64_t stack; // 0: any
    bool on;        // from there on
    int error;
    atomic_bool reached;
} plan;
static _Thread_local bool inside; // the shim's own calls

// ---- whose call it is ----

enum { MOST_PARTS = 8 };
static struct {
    uintptr_t from, to;
} parts[MOST_PARTS];
static atomic_int part_count;

static bool is_ours(const char *path)
{
    char self[4096];
    if (!*path) { // the program itself
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        self[length > 0 ? length : 0] = 0;
        const char *name = strrchr(self, '/');
        return name && strcmp(name, "/ebb") == 0;
    }
    const char *name = strrchr(path, '/');
    return name && (strncmp(name, "/libebb.so", 10) == 0 || strcmp(name, "/libgstdiffuse.so") == 0);
}

static void note_segment(const struct dl_phdr_info *info, const ElfW(Phdr) * segment, int *count)
{
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || *count == MOST_PARTS)
        return;
    parts[*count].from = info->dlpi_addr + segment->p_vaddr;
    parts[(*count)++].to = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;
}

static int note_part(struct dl_phdr_info *info, size_t size, void *data)
{
    int *count = data;
    for (int i = 0; i < info->dlpi_phnum && is_ours(info->dlpi_name); i++)
        note_segment(info, &info->dlpi_phdr[i], count);
    return 0;
}

// The plugin is loaded late: dlopen() below asks again. Parts are only ever added.
static void note_parts(void)
{
    int count = 0;
    bool before = inside;
    inside = true;
    dl_iterate_phdr(note_part, &count);
    if (count > atomic_load(&part_count))
        atomic_store(&part_count, count);
    inside = before;
}

static bool comes_from_us(const void *address)
{
    uintptr_t at = (uintptr_t)address;
    for (int i = atomic_load(&part_count); i-- > 0;)
        if (at >= parts[i].from && at < parts[i].to)
            return true;
    return false;
}

// ---- failing ----

static int report = -1;

static void put(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (report >= 0 && length > 0 && write(report, line, (size_t)length) < 0)
        report = -1;
}

static void put_place(const char *what, const void *address, size_t bytes)
{
    Dl_info info = {0};
    dladdr(address, &info);
    const char *name = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    put("%s %zu %s+0x%zx %s\n", what, bytes, name ? name + 1 : "ebb",
        (size_t)((uintptr_t)address - (uintptr_t)info.dli_fbase - 1), info.dli_sname ? info.dli_sname : "-");
}

static void put_trace(void)
{
    enum { DEEP = 24 };
    void *trace[DEEP];
    int count = backtrace(trace, DEEP);
    for (int i = 0; i < count; i++)
        if (comes_from_us(trace[i]))
            put_place("at", trace[i], 0);
}

// ---- stacks ----

// Our places on the stack, as a number that is the same in each run: FNV-1a of where they lie in our parts.
static uint64_t stack_number(void)
{
    enum { DEEP = 48 };
    void *trace[DEEP];
    uint64_t sum = 14695981039346656037u;
    int count = backtrace(trace, DEEP);
    for (int i = 0; i < count; i++)
        for (int part = atomic_load(&part_count); part-- > 0;)
            if ((uintptr_t)trace[i] >= parts[part].from && (uintptr_t)trace[i] < parts[part].to)
                sum = (sum ^ ((uintptr_t)trace[i] - parts[part].from)) * 1099511628211u;
    return sum | 1; // 0 is none
}

enum { STACKS = 1 << 14 };
static struct {
    uint64_t number;
    enum call_kind kind;
    long calls;
} stacks[STACKS];
static bool stacks_wanted;
static atomic_flag stacks_busy = ATOMIC_FLAG_INIT;

static void note_stack(enum call_kind kind, uint64_t number)
{
    while (atomic_flag_test_and_set(&stacks_busy))
        ;
    size_t i = (size_t)(number + (uint64_t)kind) % STACKS;
    for (size_t tries = 0; tries < STACKS && stacks[i].number; tries++) {
        if (stacks[i].number == number && stacks[i].kind == kind)
            break;
        i = (i + 1) % STACKS;
    }
    stacks[i].number = number;
    stacks[i].kind = kind;
    stacks[i].calls++;
    atomic_flag_clear(&stacks_busy);
}

// Which of the planned calls this is, the n-th of its kind; 0: none of them.
static long number_of(enum call_kind kind, long n)
{
    static atomic_long of_stack;
    bool meant = plan.at && kind == plan.kind;
    if (!stacks_wanted && !(meant && plan.stack))
        return meant ? n : 0;
    if (meant && atomic_load(&plan.reached))
        return plan.at + 1;
    inside = true;
    uint64_t number = stack_number();
    inside = false;
    if (stacks_wanted)
        note_stack(kind, number);
    return meant && number == plan.stack ? atomic_fetch_add(&of_stack, 1) + 1 : 0;
}

// Whether this call is to fail: then errno says how. SHORT is told by errno 0.
static bool fails(enum call_kind kind, const void *from)
{
    if (inside || !comes_from_us(from))
        return false;
    long n = number_of(kind, atomic_fetch_add(&calls[kind], 1) + 1);
    if (!plan.at || n < plan.at || (n > plan.at && !plan.on))
        return false;
    inside = true;
    if (n == plan.at)
        put_trace();
    inside = false;
    atomic_store(&plan.reached, true);
    errno = plan.error;
    return true;
}

#define FROM __builtin_return_address(0)
#define NEXT(name) (*(__typeof__(&(name)) *)&(void *){next(#name)})

// dlsym() is replaced below; where the real one is depends on the C library's age.
static void *real_dlsym(void *library, const char *name)
{
    static void *(*real)(void *, const char *);
    if (!real)
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    if (!real)
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    if (!real)
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.17");
    return real(library, name);
}

static void *next(const char *name)
{
    bool before = inside;
    inside = true;
    void *found = real_dlsym(RTLD_NEXT, name);
    inside = before;
    return found;
}

// ---- allocations ----

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *data, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *data);

enum { SLOTS = 1 << 18 }; // of blocks that live at a time
static struct {
    void *block;
    size_t bytes;
    const void *from;
} slots[SLOTS];
static atomic_flag slots_busy = ATOMIC_FLAG_INIT;
static atomic_long live;

static size_t slot_of(const void *block)
{
    return (size_t)(((uint64_t)(uintptr_t)block >> 4) * 0x9e3779b97f4a7c15ULL >> 46) % SLOTS;
}

static void lock_slots(void)
{
    while (atomic_flag_test_and_set(&slots_busy))
        ;
}

static void *noted(void *block, size_t bytes, const void *from)
{
    if (!block || inside || !comes_from_us(from))
        return block;
    lock_slots();
    size_t i = slot_of(block);
    for (size_t tries = 0; slots[i].block && tries < SLOTS; tries++)
        i = (i + 1) % SLOTS;
    if (!slots[i].block) {
        slots[i].block = block;
        slots[i].bytes = bytes;
        slots[i].from = from;
        atomic_fetch_add(&live, 1);
    }
    atomic_flag_clear(&slots_busy);
    return block;
}

// Closes the gap: a later block of the same chain moves into it.
static void close_gap(size_t gap)
{
    for (size_t i = (gap + 1) % SLOTS; slots[i].block; i = (i + 1) % SLOTS) {
        size_t home = slot_of(slots[i].block);
        if ((i - home + SLOTS) % SLOTS >= (i - gap + SLOTS) % SLOTS) {
            slots[gap] = slots[i];
            gap = i;
        }
    }
    slots[gap].block = NULL;
}

static void forget(const void *block)
{
    if (!block || !atomic_load(&live))
        return;
    lock_slots();
    size_t i = slot_of(block);
    while (slots[i].block && slots[i].block != block)
        i = (i + 1) % SLOTS;
    if (slots[i].block) {
        close_gap(i);
        atomic_fetch_sub(&live, 1);
    }
    atomic_flag_clear(&slots_busy);
}

void free(void *data)
{
    forget(data);
    __libc_free(data);
}

void *malloc(size_t size)
{
    return fails(ALLOC, FROM) ? NULL : noted(__libc_malloc(size), size, FROM);
}

void *calloc(size_t count, size_t size)
{
    return fails(ALLOC, FROM) ? NULL : noted(__libc_calloc(count, size), count * size, FROM);
}

void *realloc(void *data, size_t size)
{
    if (fails(ALLOC, FROM))
        return NULL;
    forget(data);
    void *moved = __libc_realloc(data, size);
    return noted(moved ? moved : data, size, FROM) == data && !moved ? NULL : moved;
}

void *reallocarray(void *data, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || fails(ALLOC, FROM)) {
        errno = ENOMEM;
        return NULL;
    }
    forget(data);
    void *moved = __libc_realloc(data, bytes);
    return noted(moved ? moved : data, bytes, FROM) == data && !moved ? NULL : moved;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(ALLOC, FROM) ? NULL : noted(__libc_memalign(alignment, size), size, FROM);
}

static char *copied(const char *text, size_t length, const void *from)
{
    char *copy = noted(__libc_malloc(length + 1), length + 1, from);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

char *strdup(const char *text)
{
    return fails(ALLOC, FROM) ? NULL : copied(text, strlen(text), FROM);
}

char *strndup(const char *text, size_t most)
{
    return fails(ALLOC, FROM) ? NULL : copied(text, strnlen(text, most), FROM);
}

int __vasprintf_chk(char **text, int flag, const char *format, va_list args);
int __asprintf_chk(char **text, int flag, const char *format, ...);

static int printed(char **text, const char *format, va_list args, const void *from)
{
    if (fails(ALLOC, from))
        return -1;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    *text = length < 0 ? NULL : noted(__libc_malloc((size_t)length + 1), (size_t)length + 1, from);
    return *text ? vsnprintf(*text, (size_t)length + 1, format, args) : -1;
}

int __vasprintf_chk(char **text, int flag, const char *format, va_list args)
{
    return printed(text, format, args, FROM);
}

int vasprintf(char **text, const char *format, va_list args)
{
    return printed(text, format, args, FROM);
}

int __asprintf_chk(char **text, int flag, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = printed(text, format, args, FROM);
    va_end(args);
    return length;
}

int asprintf(char **text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = printed(text, format, args, FROM);
    va_end(args);
    return length;
}

FILE *open_memstream(char **text, size_t *size)
{
    return fails(ALLOC, FROM) ? NULL : NEXT(open_memstream)(text, size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    return fails(THREAD, FROM) ? plan.error : NEXT(pthread_create)(thread, attributes, run, argument);
}

// The plugin, and what it links, has come.
void *dlopen(const char *path, int flags)
{
    void *handle = NEXT(dlopen)(path, flags);
    note_parts();
    return handle;
}

// ---- files ----

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN_LIKE(name)                                                                                      \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode_t mode = mode_of(flags, args);                                                                  \
        va_end(args);                                                                                        \
        return fails(OPEN, FROM) ? -1 : NEXT(name)(path, flags, mode);                                       \
    }
#define OPENAT_LIKE(name)                                                                                    \
    int name(int folder, const char *path, int flags, ...)                                                   \
    {                                                                                                        \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode_t mode = mode_of(flags, args);                                                                  \
        va_end(args);                                                                                        \
        return fails(OPEN, FROM) ? -1 : NEXT(name)(folder, path, flags, mode);                               \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)

#define FOPEN_LIKE(name)                                                                                     \
    FILE *name(const char *path, const char *mode)                                                           \
    {                                                                                                        \
        return fails(OPEN, FROM) ? NULL : NEXT(name)(path, mode);                                            \
    }
FOPEN_LIKE(fopen)
FOPEN_LIKE(fopen64)

DIR *opendir(const char *path)
{
    return fails(OPEN, FROM) ? NULL : NEXT(opendir)(path);
}

// How many of `size` bytes a call gets; 0: it fails.
static size_t allowed(enum call_kind kind, size_t size, const void *from)
{
    if (!fails(kind, from))
        return size ? size : 1;
    return plan.error ? 0 : size / 2 + 1;
}

#define PLAIN_LIKE(name, kind, pointer)                                                                      \
    ssize_t name(int fd, pointer data, size_t size)                                                          \
    {                                                                                                        \
        size_t most = allowed(kind, size, FROM);                                                             \
        return most ? NEXT(name)(fd, data, most < size ? most : size) : -1;                                  \
    }
#define PLACED_LIKE(name, kind, pointer, offset)                                                             \
    ssize_t name(int fd, pointer data, size_t size, offset at)                                               \
    {                                                                                                        \
        size_t most = allowed(kind, size, FROM);                                                             \
        return most ? NEXT(name)(fd, data, most < size ? most : size, at) : -1;                              \
    }
PLAIN_LIKE(read, READ, void *)
PLAIN_LIKE(write, WRITE, const void *)
PLACED_LIKE(pread, READ, void *, off_t)
PLACED_LIKE(pread64, READ, void *, off64_t)
PLACED_LIKE(pwrite, WRITE, const void *, off_t)
PLACED_LIKE(pwrite64, WRITE, const void *, off64_t)

// stdio asks again by itself after a short read: only errors reach its caller.
static bool stream_fails(FILE *file, const void *from)
{
    enum { ERROR_SEEN = 0x20 }; // as ferror() reads it in glibc
    if ((plan.kind == READ && (plan.error == 0 || plan.error == EINTR)) || !fails(READ, from))
        return false;
    file->_flags |= ERROR_SEEN;
    return true;
}

size_t fread(void *data, size_t size, size_t count, FILE *file)
{
    return stream_fails(file, FROM) ? 0 : NEXT(fread)(data, size, count, file);
}

char *fgets(char *line, int size, FILE *file)
{
    return stream_fails(file, FROM) ? NULL : NEXT(fgets)(line, size, file);
}

int fsync(int fd)
{
    return fails(SYNC, FROM) ? -1 : NEXT(fsync)(fd);
}

int close(int fd)
{
    bool bad = fails(CLOSE, FROM);
    int error = errno, result = NEXT(close)(fd);
    errno = bad ? error : errno;
    return bad ? -1 : result;
}

int rename(const char *from, const char *to)
{
    return fails(RENAME, FROM) ? -1 : NEXT(rename)(from, to);
}

int renameat(int folder, const char *from, int other, const char *to)
{
    return fails(RENAME, FROM) ? -1 : NEXT(renameat)(folder, from, other, to);
}

int link(const char *from, const char *to)
{
    return fails(LINK, FROM) ? -1 : NEXT(link)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return fails(MKDIR, FROM) ? -1 : NEXT(mkdir)(path, mode);
}

#define STAT_LIKE(name, info)                                                                                \
    int name(const char *path, info *found)                                                                  \
    {                                                                                                        \
        return fails(STAT, FROM) ? -1 : NEXT(name)(path, found);                                             \
    }
STAT_LIKE(stat, struct stat)
STAT_LIKE(stat64, struct stat64)
STAT_LIKE(lstat, struct stat)
STAT_LIKE(lstat64, struct stat64)

// ---- a GPU ----

typedef void *(*find_function)(void *owner, const char *name);
static find_function find_of_instance, find_of_device;
static int (*real_submit)(void *queue, uint32_t count, const void *infos, uint64_t fence);

static int submit(void *queue, uint32_t count, const void *infos, uint64_t fence)
{
    enum { LOST = -4 }; // VK_ERROR_DEVICE_LOST
    return fails(SUBMIT, FROM) ? LOST : real_submit(queue, count, infos, fence);
}

static void *device_function(void *device, const char *name)
{
    void *found = find_of_device(device, name);
    if (!found || strcmp(name, "vkQueueSubmit") != 0)
        return found;
    *(void **)&real_submit = found;
    return *(void **)&(int (*)(void *, uint32_t, const void *, uint64_t)){submit};
}

static void *instance_function(void *instance, const char *name)
{
    void *found = find_of_instance(instance, name);
    if (!found || strcmp(name, "vkGetDeviceProcAddr") != 0)
        return found;
    *(void **)&find_of_device = found;
    return *(void **)&(find_function){device_function};
}

void *dlsym(void *library, const char *name)
{
    void *found = real_dlsym(library, name);
    if (!found || !comes_from_us(FROM) || strcmp(name, "vkGetInstanceProcAddr") != 0)
        return found;
    *(void **)&find_of_instance = found;
    return *(void **)&(find_function){instance_function};
}

// ---- the beginning and the end ----

static void read_plan(const char *text)
{
    char kind[16], error[16];
    long at;
    if (sscanf(text, "%15[a-z]:%ld", kind, &at) < 2 || !strrchr(text, ':'))
        return;
    const char *stack = strchr(text, '@');
    snprintf(error, sizeof(error), "%s", strrchr(text, ':') + 1);
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kind, kinds[i]) == 0)
            plan.kind = (enum call_kind)i;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (strcmp(error, errors[i].name) == 0)
            plan.error = errors[i].number;
    plan.stack = stack ? strtoull(stack + 1, NULL, 16) : 0;
    plan.on = strchr(text, '+') != NULL;
    plan.at = at;
}

static int count_descriptors(void)
{
    int count = 0;
    struct stat info;
    for (int fd = 3; fd < 256; fd++)
        count += fd != report && fstat(fd, &info) == 0;
    return count;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("EBB_FAULT"), *path = getenv("EBB_FAULT_REPORT");
    void *trace[2];
    inside = true;
    if (path)
        report = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0644);
    backtrace(trace, 2); // loads what it needs now
    note_parts();
    if (text)
        read_plan(text);
    stacks_wanted = getenv("EBB_FAULT_STACKS") != NULL;
    inside = false;
}

__attribute__((destructor)) static void end(void)
{
    enum { MOST_NAMED = 20 };
    inside = true;
    for (int i = 0; i < KINDS; i++)
        put("calls %s %ld\n", kinds[i], (long)calls[i]);
    put("descriptors %d\nblocks %ld\n", count_descriptors(), (long)live);
    for (size_t i = 0; i < STACKS; i++)
        if (stacks[i].number)
            put("stack %s %llx %ld\n", kinds[stacks[i].kind], (unsigned long long)stacks[i].number,
                stacks[i].calls);
    for (size_t i = 0, named = 0; i < SLOTS && named < MOST_NAMED && (long)named < live; i++)
        if (slots[i].block) {
            named++;
            put_place("kept", slots[i].from, slots[i].bytes);
        }
}
