#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/ports.h"

#define ARGUMENTS_MAX 40
#define START_DEADLINE_MS 10000

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static bool accepts(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

/* Runs a program in `directory`, its output in a file there; it dies with this process. */
static pid_t spawn(const char *directory, const char *const *argv)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int out = -1;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || chdir(directory) != 0 ||
            (out = open("output", O_WRONLY | O_CREAT | O_APPEND, 0600)) < 0)
            _exit(126);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void run(const char *directory, const char *const *argv)
{
    int status;
    pid_t pid = spawn(directory, argv);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        fail_msg("%s failed in %s", argv[0], directory);
}

static void prepare(tw_test_redis_t *redis)
{
    assert_int_equal(redis->pid, 0);
    if (redis->port == 0)
        redis->port = tw_test_free_port();
    if (redis->directory[0] == '\0') {
        strcpy(redis->directory, "/tmp/tideway-redis-XXXXXX");
        assert_non_null(mkdtemp(redis->directory));
    }
}

static void start(tw_test_redis_t *redis, const char *const *argv)
{
    uint64_t deadline_ms = now_ms() + START_DEADLINE_MS;
    int status;

    redis->pid = spawn(redis->directory, argv);
    while (!accepts(redis->port)) {
        if (waitpid(redis->pid, &status, WNOHANG) != 0)
            fail_msg("%s ended at once; see %s/output", argv[0], redis->directory);
        if (now_ms() > deadline_ms)
            fail_msg("%s accepts no connection; see %s/output", argv[0], redis->directory);
        usleep(5000);
    }
}

/* Starts the program with these arguments and the options behind them; both end with NULL. */
static void start_with(tw_test_redis_t *redis, const char *const *arguments,
                       const char *const *options)
{
    const char *argv[ARGUMENTS_MAX] = {"redis-server"};
    size_t count = 1;

    for (; *arguments != NULL; ++arguments)
        argv[count++] = *arguments;
    for (; options != NULL && *options != NULL; ++options) {
        assert_true(count < ARGUMENTS_MAX - 1);
        argv[count++] = *options;
    }
    start(redis, argv);
}

void tw_test_redis_start(tw_test_redis_t *redis, const char *const *options)
{
    char port[8];
    prepare(redis);
    snprintf(port, sizeof(port), "%u", redis->port);
    start_with(redis,
               (const char *[]){"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
                                "no", "--dir", redis->directory, NULL},
               options);
}

static void make_certificates(const char *directory)
{
    static const char script[] =
        "set -e\n"
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=test-ca -keyout ca.key -out ca.pem\n"
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis "
        "-keyout server.key -out server.csr\n"
        "printf 'subjectAltName=DNS:localhost\\n' > extensions\n"
        "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
        "-extfile extensions -out server.pem\n"
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=client "
        "-keyout client.key -out client.csr\n"
        "openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
        "-out client.pem\n";
    run(directory, (const char *[]){"sh", "-c", script, NULL});
}

void tw_test_redis_start_tls(tw_test_redis_t *redis, const char *const *options)
{
    char port[8];
    prepare(redis);
    make_certificates(redis->directory);
    snprintf(port, sizeof(port), "%u", redis->port);
    start_with(redis,
               (const char *[]){"--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--save",
                                "", "--dir", redis->directory, "--tls-cert-file", "server.pem",
                                "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem",
                                "--tls-auth-clients", "no", NULL},
               options);
}

void tw_test_redis_start_sentinel(tw_test_redis_t *sentinel, const tw_test_redis_t *master,
                                  const char *lines)
{
    char path[128], port[8];
    prepare(sentinel);
    snprintf(port, sizeof(port), "%u", sentinel->port);
    snprintf(path, sizeof(path), "%s/sentinel.conf", sentinel->directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "port %s\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %u 2\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n%s",
            port, master->port, lines != NULL ? lines : "");
    fclose(file);
    /* redis-sentinel is the same program, but in a package that starts a service. */
    start(sentinel, (const char *[]){"redis-server", path, "--sentinel", NULL});
}

void tw_test_redis_kill(tw_test_redis_t *redis)
{
    if (redis->pid == 0)
        return;
    kill(redis->pid, SIGKILL);
    assert_int_equal(waitpid(redis->pid, NULL, 0), redis->pid);
    redis->pid = 0;
}

void tw_test_redis_pause(const tw_test_redis_t *redis, bool paused)
{
    assert_int_equal(kill(redis->pid, paused ? SIGSTOP : SIGCONT), 0);
}

void tw_test_redis_dispose(tw_test_redis_t *redis)
{
    tw_test_redis_kill(redis);
    if (redis->directory[0] != '\0')
        run("/", (const char *[]){"rm", "-rf", redis->directory, NULL});
    *redis = (tw_test_redis_t){0};
}

char *tw_test_redis_cli(const tw_test_redis_t *redis, const char *const *arguments)
{
    char port[8], *output = NULL;
    const char *argv[ARGUMENTS_MAX] = {"redis-cli", "-h", "127.0.0.1", "-p", port};
    size_t count = 5, len = 0, capacity = 0;
    int ends[2], status;

    snprintf(port, sizeof(port), "%u", redis->port);
    for (; *arguments != NULL; ++arguments) {
        assert_true(count < ARGUMENTS_MAX - 1);
        argv[count++] = *arguments;
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got = 1; got > 0; len += (size_t)got) {
        if (capacity - len < 4096) {
            char *larger = realloc(output, capacity = capacity * 2 + 8192);
            assert_non_null(larger);
            output = larger;
        }
        got = read(ends[0], output + len, capacity - len - 1);
        assert_true(got >= 0);
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    if (len > 0 && output[len - 1] == '\n')
        --len;
    output[len] = '\0';
    return output;
}
