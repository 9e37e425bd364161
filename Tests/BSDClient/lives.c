// What happens to a socket, or to its program, before packets come.
#include "client.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void expect(int is_so, const char *what) {
  if (!is_so) fail(what);
}

// A descriptor handed to oneself, under a number that was a file before and has been written to.
static int handed_over(int s) {
  int ends[2], file = open("/dev/null", O_RDWR);
  expect(write(file, "x", 1) == 1, "write to a file");
  close(file);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
  char byte = 0, room[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  *part = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof s), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(part), &s, sizeof s);
  expect(sendmsg(ends[0], &message, 0) == 1, "send a descriptor");
  close(s);
  expect(recvmsg(ends[1], &message, 0) == 1, "receive a descriptor");
  memcpy(&s, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof s);
  return s;
}

// Numbers change hands: a file where the socket was, the socket where a file was.
static int moved(int s) {
  int file = open("/dev/null", O_RDWR), high = dup2(s, file);
  expect(high == file, "dup2");
  expect(dup2(STDERR_FILENO, s) == s && write(s, "", 0) == 0, "write to what was the socket");
  int again = fcntl(high, F_DUPFD, 40);
  close(high);
  file = open("/dev/null", O_RDWR);
  expect(file == high && write(file, "xy", 2) == 2, "write to a file where the socket was");
  s = dup(again);
  close_range(again, again, 0);
  return s;
}

static volatile sig_atomic_t handled;
static int handler_socket, handler_count;

static void handler(int signal) {
  (void)signal;
  handler_count--;
  pass_one(handler_socket);
  handled++;
}

// SIGIO for each packet while the program does something else.
static void by_signal(int s, int count) {
  handler_socket = s;
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGIO, &action, NULL);
  sigset_t blocked, open;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGIO);
  sigprocmask(SIG_BLOCK, &blocked, &open);
  fcntl(s, F_SETOWN, getpid());
  fcntl(s, F_SETFL, O_ASYNC);
  say_ready();
  while (handled < count) sigsuspend(&open);
}

// As zapret does: what starts threads and processes kills.
static void lock_up(void) {
  static const int killing[] = {SYS_clone,      SYS_clone3,    SYS_execve, SYS_unlinkat, SYS_mkdirat,
                                SYS_getdents64, SYS_ftruncate, SYS_kill,   SYS_tgkill,   SYS_openat};
  enum { count = sizeof killing / sizeof *killing };
  struct sock_filter filter[2 * count + 2] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  for (int i = 0; i < count; i++) {
    filter[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, killing[i], 0, 1);
    filter[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  }
  filter[2 * count + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {.len = 2 * count + 2, .filter = filter};
  expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

static void interrupt(int signal) { (void)signal; }

// recvfrom goes on after a signal if it is to (SA_RESTART), waiting for more than one socket never does.
static void interrupted(int s) {
  struct sigaction action = {.sa_handler = interrupt};
  struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
  struct pollfd p = {.fd = s, .events = POLLIN};
  struct timeval little = {0, 200000}, for_ever = {0, 0};
  uint8_t byte;
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &often, NULL);
  expect(recv(s, &byte, 1, 0) == -1 && errno == EINTR, "EINTR");
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  expect(poll(&p, 1, 10000) == -1 && errno == EINTR, "EINTR of poll");
  setitimer(ITIMER_REAL, &never, NULL);
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little);
  expect(recv(s, &byte, 1, 0) == -1 && errno == EAGAIN, "SO_RCVTIMEO");
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof for_ever);
  struct itimerval once = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &once, NULL); // while pass() waits, or before
}

static void *wait_for_ever(void *socket) {
  char byte;
  recv(*(int *)socket, &byte, 1, 0);
  return NULL;
}

// A thread that waits for packets can be cancelled.
static void cancelled(int s) {
  pthread_t thread;
  void *result;
  pthread_create(&thread, NULL, wait_for_ever, &s);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  expect(result == PTHREAD_CANCELED, "cancel a thread");
}

static void leave_privilege(void) { expect(setgid(65534) == 0 && setuid(65534) == 0, "setuid"); }

static void enter_jail(void) { expect(chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0, "chroot"); }

// The program that exec starts finds a number, and nothing else.
static void become_another(int s, int count) {
  char fd[12], n[12], protocol[12];
  snprintf(fd, sizeof fd, "%d", s);
  snprintf(n, sizeof n, "%d", count);
  snprintf(protocol, sizeof protocol, "%d", number);
  execl("/proc/self/exe", "client", protocol, "inherited", fd, n, NULL);
  fail("exec");
}

// A child by posix_spawn, or vfork and exec, that finds the socket under the number 0.
static int become_parent(int s, int count, int spawns) {
  char n[12], protocol[12];
  snprintf(n, sizeof n, "%d", count);
  snprintf(protocol, sizeof protocol, "%d", number);
  char *words[] = {"client", protocol, "inherited", "0", n, NULL};
  pid_t child;
  int status;
  if (spawns) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, s, 0);
    posix_spawn_file_actions_addclose(&actions, s);
    expect(posix_spawn(&child, "/proc/self/exe", &actions, NULL, words, environ) == 0, "posix_spawn");
  } else if ((child = vfork()) == 0) {
    dup2(s, 0);
    close(s);
    execv("/proc/self/exe", words);
    _exit(1);
  }
  // What the child did to its numbers, in the same memory perhaps, is not done to ours.
  char byte;
  expect(recv(s, &byte, 0, MSG_DONTWAIT | MSG_PEEK) == 0 || errno == EAGAIN, "the parent's socket");
  close(s);
  expect(waitpid(child, &status, 0) == child && status == 0, "child");
  return 0;
}

int lives(const char *how, int port, int count) {
  if (!strcmp(how, "inherited")) {
    int wanted = number == 44 ? 0 : number, is = -1;
    socklen_t size = sizeof is;
    expect(getsockopt(port, SOL_SOCKET, SO_PROTOCOL, &is, &size) == 0 && is == wanted, "SO_PROTOCOL");
    say_ready();
    return pass(port, count), 0;
  }
  if (!strcmp(how, "early")) {
    say_ready();
    return pass(early_socket, count), 0;
  }
  int closed_zero = !strcmp(how, "closed-zero");
  if (closed_zero) close(0);
  if (!strcmp(how, "few-descriptors")) {
    struct rlimit limit = {12, 12};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (!strcmp(how, "chroot-first")) enter_jail();
  int s = open_divert(0);
  if (s < 0) fail("socket");
  expect(!closed_zero || s == 0, "the lowest number");
  if (!strcmp(how, "chroot-between")) enter_jail(), leave_privilege();
  if (!strcmp(how, "setuid-between")) leave_privilege();
  if (!strcmp(how, "alone-between")) {
    if (s != 3) dup2(s, 3), s = 3;
    closefrom(4);
  }
  if (bind_divert(s, port) != 0) fail("bind");
  if (!strcmp(how, "setuid-after")) leave_privilege();
  if (!strcmp(how, "chroot-after")) enter_jail();
  if (!strcmp(how, "exec-after")) become_another(s, count);
  if (!strcmp(how, "spawn")) return become_parent(s, count, 1);
  if (!strcmp(how, "vfork")) return become_parent(s, count, 0);
  if (!strcmp(how, "interrupted")) interrupted(s);
  if (!strcmp(how, "handed-over")) s = handed_over(s);
  if (!strcmp(how, "moved")) s = moved(s);
  if (!strcmp(how, "daemon")) {
    int out = dup(STDOUT_FILENO);
    if (daemon(0, 0) != 0) fail("daemon");
    dup2(out, STDOUT_FILENO);
  }
  if (!strcmp(how, "cancelled")) cancelled(s);
  if (!strcmp(how, "seccomp")) lock_up();
  if (!strcmp(how, "signal")) return by_signal(s, count), 0;
  say_ready();
  if (!strcmp(how, "allocation")) return expect_no_allocation(s, count), 0;
  pass(s, count);
  return 0;
}
