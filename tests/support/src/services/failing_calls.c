/* Loaded before the C library (LD_PRELOAD): calls on files of a given path fail, from the n-th on, and the wall clock is
 * stepped. libfiu's own library for POSIX knows neither the path nor how often a call was made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, OPEN = 4, NAME = 8 };
enum { IDLE = 0, FAIL = 1, RECORD = 2 };

/* As `Control` in faults.rs writes it. */
struct control {
    uint32_t mode, calls, after, times, error, partly;
    uint32_t seen, failed;
    char path[224];
    int64_t step; /* seconds */
};

static volatile struct control *control;
static char record[4096];

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAILING_CALLS");
    int fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (found == MAP_FAILED) return;
    snprintf(record, sizeof record, "%s.calls", file);
    control = found;
}

static void note(const char *what, const char *path) {
    char line[4400];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    int fd = syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_write, fd, line, length);
    syscall(SYS_close, fd);
}

/* Whether this call is to fail; `errno` is set then. 2: the first of them, which does half of it. */
static int fails(uint32_t call, const char *what, const char *path) {
    uint32_t mode = control ? control->mode : IDLE;
    if (mode == RECORD) note(what, path);
    if (mode != FAIL || !(control->calls & call) || fnmatch((const char *)control->path, path, 0)) return 0;
    uint32_t number = __atomic_fetch_add(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (number < control->after || number - control->after >= control->times) return 0;
    uint32_t before = __atomic_fetch_add(&control->failed, 1, __ATOMIC_SEQ_CST);
    if (control->error == 0) kill(getpid(), SIGKILL);
    errno = control->error;
    return control->partly && before == 0 ? 2 : 1;
}

static int fails_on(uint32_t call, const char *what, int fd) {
    if (!control || control->mode == IDLE) return 0;
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int saved = errno;
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return fails(call, what, path);
}

#define REAL(result, name, ...)                                                                                       \
    static result (*real)(__VA_ARGS__);                                                                               \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPENING(name)                                                                                                 \
    int name(const char *path, int flags, ...) {                                                                      \
        REAL(int, #name, const char *, int, ...);                                                                     \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                     \
        va_end(rest);                                                                                                 \
        return fails(OPEN, "open", path) ? -1 : real(path, flags, mode);                                              \
    }
OPENING(open)
OPENING(open64)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int failing = fails_on(WRITE, "write", fd);
    if (failing == 1 || (failing == 2 && count < 2)) return -1;
    return real(fd, bytes, failing ? count / 2 : count);
}

#define PWRITE(name)                                                                                                  \
    ssize_t name(int fd, const void *bytes, size_t count, off64_t at) {                                               \
        REAL(ssize_t, #name, int, const void *, size_t, off64_t);                                                     \
        int failing = fails_on(WRITE, "write", fd);                                                                   \
        if (failing == 1 || (failing == 2 && count < 2)) return -1;                                                   \
        return real(fd, bytes, failing ? count / 2 : count, at);                                                      \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return fails_on(WRITE, "write", fd) ? -1 : real(fd, parts, count);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return fails_on(SYNC, "sync", fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return fails_on(SYNC, "sync", fd) ? -1 : real(fd);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    return fails_on(WRITE, "write", fd) ? -1 : real(fd, length);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return fails(NAME, "name", to) ? -1 : real(from, to);
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    return fails(NAME, "name", path) ? -1 : real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return fails(NAME, "name", path) ? -1 : real(path, mode);
}

/* The policy check is started without the service's environment, and its calls fail, too. */
int posix_spawnp(pid_t *id, const char *program, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    REAL(int, "posix_spawnp", pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
         char *const[], char *const[]);
    static char library[4200], file[4200];
    size_t count = 0;
    while (environment[count]) count++;
    char **extended = calloc(count + 3, sizeof *extended);
    if (!control || !extended) return real(id, program, actions, attributes, arguments, environment);
    memcpy(extended, environment, count * sizeof *extended);
    snprintf(library, sizeof library, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    snprintf(file, sizeof file, "FAILING_CALLS=%s", getenv("FAILING_CALLS"));
    extended[count] = library;
    extended[count + 1] = file;
    int result = real(id, program, actions, attributes, arguments, extended);
    free(extended);
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && control) time->tv_sec += control->step;
    return result;
}
