// What programs that have no divert socket pay for running under `divert exec`: the same calls in processes with and
// without the library, in turn, since the machine's speed drifts. CPU time of the process: the least of all rounds, their
// ratio, and the median of the rounds' ratios with its quartiles.
//
//   PreloadBench [LIBRARY [ROUNDS]]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_file(const char *name, int flags) {
  int file = open(name, flags);
  if (file < 0) fail(name);
  return file;
}

// MARK: Kinds of work

static void bytes(int count, size_t size) {
  static char buffer[1 << 16];
  int from = open_file("/dev/zero", O_RDONLY), to = open_file("/dev/null", O_WRONLY);
  while (count-- > 0)
    if (read(from, buffer, size) < 0 || write(to, buffer, size) < 0) fail("read and write");
}

static void single_bytes(int count) { bytes(count, 1); }
static void pages(int count) { bytes(count, 4096); }

static void through_a_pipe(int count) {
  static char buffer[4096];
  int ends[2];
  if (pipe(ends) != 0) fail("pipe");
  while (count-- > 0)
    if (write(ends[1], buffer, sizeof buffer) < 0 || read(ends[0], buffer, sizeof buffer) < 0) fail("pipe");
}

static void datagrams(int count) {
  char buffer[64] = {0};
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(s, (struct sockaddr *)&name, size) != 0 || getsockname(s, (struct sockaddr *)&name, &size) != 0) fail("bind");
  while (count-- > 0) {
    if (sendto(s, buffer, sizeof buffer, 0, (struct sockaddr *)&name, sizeof name) < 0) fail("sendto");
    size = sizeof name;
    if (recvfrom(s, buffer, sizeof buffer, 0, (struct sockaddr *)&name, &size) < 0) fail("recvfrom");
  }
}

static void files(int count) {
  char byte;
  while (count-- > 0) {
    int file = open_file("/etc/passwd", O_RDONLY);
    if (read(file, &byte, 1) != 1 || close(file) != 0) fail("a file");
  }
}

static void sockets(int count) {
  char byte;
  while (count-- > 0) {
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (recv(s, &byte, 1, MSG_DONTWAIT) != -1 || close(s) != 0) fail("a socket");
  }
}

static const struct kind {
  const char *name;
  void (*work)(int count);
  int count;
} kinds[] = {
    {"read and write of a byte", single_bytes, 100000},
    {"read and write of 4096 bytes", pages, 100000},
    {"4096 bytes through a pipe", through_a_pipe, 50000},
    {"a datagram sent and received", datagrams, 10000},
    {"a file opened, read and closed", files, 15000},
    {"a socket made, asked and closed", sockets, 8000},
};
enum { kind_count = sizeof kinds / sizeof *kinds, most_rounds = 99 };

// MARK: Processes with and without

static double cpu_seconds(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// In a process of its own: its work, then how long it took.
static int work(int number) {
  kinds[number].work(kinds[number].count / 20);
  double start = cpu_seconds(RUSAGE_SELF);
  kinds[number].work(kinds[number].count);
  printf("%.9f\n", (cpu_seconds(RUSAGE_SELF) - start) / kinds[number].count);
  return 0;
}

static pid_t start(char *const words[], const char *library, int output) {
  char preload[PATH_MAX + 16];
  snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
  char *variables[] = {library ? preload : NULL, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child;
  if ((errno = posix_spawn(&child, words[0], &actions, NULL, words, variables)) != 0) fail(words[0]);
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

static void wait_for(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) fail("a process");
}

static double seconds_a_call(int number, const char *library) {
  char word[12], text[64] = {0};
  int ends[2];
  snprintf(word, sizeof word, "%d", number);
  char *words[] = {"/proc/self/exe", "work", word, NULL};
  if (pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  wait_for(start(words, library, ends[1]));
  if (read(ends[0], text, sizeof text - 1) <= 0) fail("read");
  close(ends[0]);
  close(ends[1]);
  return atof(text);
}

static double seconds_a_start(const char *library) {
  enum { count = 50 };
  char *words[] = {"/bin/true", NULL};
  double before = cpu_seconds(RUSAGE_CHILDREN);
  for (int i = 0; i < count; i++) wait_for(start(words, library, STDOUT_FILENO));
  return (cpu_seconds(RUSAGE_CHILDREN) - before) / count;
}

// MARK: Figures

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double least(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, ascending);
  return values[0];
}

static void compare(int number, const char *library, int rounds) {
  double without[most_rounds], with[most_rounds], ratios[most_rounds];
  bool is_start = number == kind_count;
  for (int i = 0; i < rounds; i++) {
    // Each goes first in every second round.
    for (int j = 0; j < 2; j++) {
      double *place = (i + j) % 2 ? &with[i] : &without[i];
      const char *preload = (i + j) % 2 ? library : NULL;
      *place = is_start ? seconds_a_start(preload) : seconds_a_call(number, preload);
    }
    ratios[i] = with[i] / without[i];
  }
  double bare = least(without, rounds), loaded = least(with, rounds);
  qsort(ratios, (size_t)rounds, sizeof *ratios, ascending);
  printf("| %s | %.0f | %.0f | %.3f | %.3f [%.3f–%.3f] |\n", is_start ? "a program started" : kinds[number].name,
         bare * 1e9, loaded * 1e9, loaded / bare, ratios[rounds / 2], ratios[rounds / 4],
         ratios[rounds - 1 - rounds / 4]);
  fflush(stdout);
}

int main(int count, char **words) {
  if (count == 3 && !strcmp(words[1], "work")) return work(atoi(words[2]));
  static char own[PATH_MAX], library[PATH_MAX + 32];
  if (readlink("/proc/self/exe", own, sizeof own - 1) < 0) fail("/proc/self/exe");
  snprintf(library, sizeof library, "%s/libdivert-preload.so", dirname(own));
  const char *preload = count > 1 ? words[1] : library;
  int rounds = count > 2 ? atoi(words[2]) : 41;
  if (rounds < 1 || rounds > most_rounds) return 64;
  if (access(preload, R_OK) != 0) fail(preload);
  puts("| least CPU time | without, ns | with, ns | × | median of rounds |\n|---|---|---|---|---|");
  for (int i = 0; i <= kind_count; i++) compare(i, preload, rounds);
}
