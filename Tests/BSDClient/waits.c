// How programs wait for packets, and by which calls they read and write them.
#include "client.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void by_select(int s) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(s, &set);
  struct timeval limit = {10, 0};
  if (select(s + 1, &set, NULL, NULL, &limit) != 1 || !FD_ISSET(s, &set)) fail("select");
}

static void by_poll(int s) {
  struct pollfd p = {.fd = s, .events = POLLRDNORM};
  if (poll(&p, 1, 10000) != 1 || p.revents != POLLRDNORM) fail("poll");
}

static void by_epoll(int s) {
  static int queue = -1;
  struct epoll_event event = {.events = EPOLLIN};
  if (queue < 0) {
    queue = epoll_create1(0);
    epoll_ctl(queue, EPOLL_CTL_ADD, s, &event);
  }
  if (epoll_wait(queue, &event, 1, 10000) != 1) fail("epoll_wait");
}

// Told of once, when it comes.
static void by_edge(int s) {
  static int queue = -1;
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  if (queue < 0) {
    queue = epoll_create1(0);
    epoll_ctl(queue, EPOLL_CTL_ADD, s, &event);
  }
  if (epoll_wait(queue, &event, 1, 10000) != 1 || epoll_wait(queue, &event, 1, 0) != 0) fail("epoll_wait");
}

// Nothing is there: nobody waits, and select agrees.
static void expect_nothing(int s, int flags) {
  uint8_t byte;
  if (recv(s, &byte, 1, flags) != -1 || errno != EAGAIN) fail("recv of nothing");
  struct pollfd p = {.fd = s, .events = POLLIN | POLLOUT};
  if (poll(&p, 1, 0) != 1 || p.revents != POLLOUT) fail("poll for nothing");
}

static void *thread(void *socket) {
  pass_one(*(int *)socket);
  return NULL;
}

// Every packet goes to one of both, whoever waits.
static void with_threads(int s, int count) {
  pthread_t threads[64];
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, thread, &s);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void with_fork(int s, int count) {
  for (int i = 0; i < count; i++) {
    if (fork() == 0) {
      pass_one(s);
      exit(0);
    }
  }
  int status = 0;
  for (int i = 0; i < count; i++) {
    if (wait(&status) < 0 || status != 0) fail("child");
  }
}

static void peeking(int s) {
  uint8_t packet[65536], again[65536];
  struct sockaddr_in from, to;
  socklen_t size = sizeof from;
  by_poll(s);
  int waiting = 0;
  if (ioctl(s, FIONREAD, &waiting) != 0) fail("FIONREAD");
  if (recv(s, packet, 0, MSG_PEEK | MSG_TRUNC) != waiting) fail("MSG_TRUNC");
  if (recv(s, packet, 30, MSG_PEEK) != 30) fail("a short buffer");
  struct iovec cut = {packet, 30};
  struct msghdr truncated = {.msg_iov = &cut, .msg_iovlen = 1};
  if (recvmsg(s, &truncated, MSG_PEEK) != 30 || !(truncated.msg_flags & MSG_TRUNC)) fail("a cut packet");
  if (recvfrom(s, packet, sizeof packet, MSG_PEEK, (struct sockaddr *)&from, &size) != waiting) fail("MSG_PEEK");
  // The same in pieces, as read by recvmsg, and the address again.
  struct iovec pieces[3] = {{again, 7}, {again + 7, 13}, {again + 20, sizeof again - 20}};
  struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = pieces, .msg_iovlen = 3};
  ssize_t n = recvmsg(s, &message, 0);
  if (n != waiting || message.msg_flags != 0 || message.msg_namelen != sizeof to) fail("recvmsg");
  if (memcmp(packet, again, n) != 0 || memcmp(&from, &to, sizeof to) != 0) fail("not the same");
  pieces[2].iov_len = n - 20;
  if (sendmsg(s, &message, 0) != n) fail("sendmsg");
  printf("in %s %d %zd\n", (char *)to.sin_zero, to.sin_port, n);
}

// read(2) tells no address: the packet is written back as one that arrives on an interface with a known address.
static void reading(int s, int count) {
  uint8_t packet[65536];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 100, .sin_addr.s_addr = htonl(0xc0000202)};
  struct iovec pieces[2] = {{packet, 20}, {packet + 20, sizeof packet - 20}};
  for (int i = 0; i < count; i++) {
    ssize_t n = i % 2 ? read(s, packet, sizeof packet) : readv(s, pieces, 2);
    if (n < 20 || sendto(s, packet, n, 0, (struct sockaddr *)&to, sizeof to) != n) fail("read and sendto");
    printf("read %zd\n", n);
  }
}

// What programs call that are built with _FORTIFY_SOURCE, and the C library's older names.
ssize_t __recvfrom_chk(int s, void *buffer, size_t size, size_t room, int flags, struct sockaddr *from, socklen_t *length);
ssize_t __recv_chk(int s, void *buffer, size_t size, size_t room, int flags);
ssize_t __read_chk(int s, void *buffer, size_t size, size_t room);
ssize_t __read(int s, void *buffer, size_t size);
ssize_t __send(int s, const void *buffer, size_t size, int flags);
int __fcntl(int s, int command, ...);
int __dup2(int s, int number);
int __close(int s);

static void by_other_names(int s) {
  uint8_t packet[65536];
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  by_poll(s);
  int copy = __fcntl(s, F_DUPFD, 20), other = __dup2(copy, 30);
  ssize_t n = __recvfrom_chk(other, packet, 2000, sizeof packet, MSG_PEEK, (struct sockaddr *)&from, &size);
  if (__recv_chk(copy, packet, 2000, sizeof packet, MSG_PEEK) != n) fail("__recv_chk");
  if (__close(copy) != 0) fail("__close");
  if (__send(s, packet, n, 0) != -1 || errno != EDESTADDRREQ) fail("__send");
  ssize_t taken = n % 2 ? __read(s, packet, 2000) : __read_chk(other, packet, 2000, sizeof packet);
  if (taken != n || __close(other) != 0) fail("read");
  if (sendto(s, packet, n, 0, (struct sockaddr *)&from, size) != n) fail("sendto");
  printf("in %s %d %zd\n", (char *)from.sin_zero, from.sin_port, n);
}

static struct timespec *limit;

static void in_batches(int s, int count) {
  static uint8_t packets[64][2048];
  struct sockaddr_in names[64];
  struct iovec vectors[64];
  struct mmsghdr batch[64];
  while (count > 0) {
    for (int i = 0; i < 64; i++) {
      vectors[i] = (struct iovec){packets[i], sizeof packets[i]};
      batch[i].msg_hdr = (struct msghdr){
          .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(s, batch, 64, MSG_WAITFORONE, limit);
    if (n < 1) fail("recvmmsg");
    for (int i = 0; i < n; i++) vectors[i].iov_len = batch[i].msg_len;
    if (sendmmsg(s, batch, n, 0) != n) fail("sendmmsg");
    for (int i = 0; i < n; i++) printf("in %s %d %u\n", names[i].sin_zero, names[i].sin_port, batch[i].msg_len);
    count -= n;
  }
}

// The limit is looked at between packets only (recvmmsg(2)): the first is waited for.
static void in_timed_batches(int s, int count) {
  static struct timespec soon = {0, 1};
  limit = &soon;
  in_batches(s, count);
}

static void one_by_one(int s, int count, void (*wait_for_one)(int), void (*take_one)(int)) {
  while (count-- > 0) {
    if (wait_for_one) wait_for_one(s);
    take_one(s);
  }
}

int waits(const char *how, int port, int count) {
  static const struct way {
    const char *name;
    void (*all)(int, int), (*wait_for_one)(int), (*take_one)(int);
    int flags;
  } ways[] = {
      {"select", NULL, by_select, pass_one, 0},   {"poll", NULL, by_poll, pass_one, 0},
      {"epoll", NULL, by_epoll, pass_one, 0},     {"non-blocking", NULL, by_poll, pass_one, SOCK_NONBLOCK},
      {"peek", NULL, NULL, peeking, 0},           {"threads", with_threads, NULL, NULL, 0},
      {"fork", with_fork, NULL, NULL, 0},         {"read", reading, NULL, NULL, 0},
      {"edge", NULL, by_edge, pass_one, 0},       {"other-names", NULL, NULL, by_other_names, 0},
      {"batch", in_batches, NULL, NULL, 0},       {"timed-batch", in_timed_batches, NULL, NULL, 0},
  };
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    const struct way *way = &ways[i];
    if (strcmp(how, way->name)) continue;
    int s = open_divert(way->flags | SOCK_CLOEXEC);
    if (s < 0) fail("socket");
    if (bind_divert(s, port) != 0) fail("bind");
    expect_nothing(s, way->flags ? 0 : MSG_DONTWAIT);
    say_ready();
    if (way->all) way->all(s, count);
    else one_by_one(s, count, way->wait_for_one, way->take_one);
    return 0;
  }
  return -1;
}
