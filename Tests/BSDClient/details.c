// What the calls that read say to every odd argument, a line for each, while one packet waits.
#include "client.h"

#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static uint8_t whole[65536], pieces[IOV_MAX];

static void tell(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerrorname_np(errno));
  else printf("%s: %ld\n", what, result);
}

static void ask(int s, const char *what, unsigned long request) {
  int value = -1;
  tell(what, ioctl(s, request, &value) == 0 ? value : -1);
}

static void nothing(int s) {
  int on = 1, off = 0;
  struct mmsghdr none;
  static struct iovec vector[IOV_MAX + 1];
  struct timespec no_time = {0, 0}, nonsense = {0, -1};
  ask(s, "FIONREAD without a packet", FIONREAD);
  ask(s, "SIOCATMARK", SIOCATMARK);
  tell("FIONBIO", ioctl(s, FIONBIO, &on));
  tell("recv", recv(s, whole, sizeof whole, 0));
  tell("FIONBIO off", ioctl(s, FIONBIO, &off));
  tell("read of nothing, nothing there", read(s, whole, 0));
  tell("readv of nothing, nothing there", readv(s, NULL, 0));
  tell("readv of too many", readv(s, vector, IOV_MAX + 1));
  tell("recvmmsg of none", recvmmsg(s, &none, 0, 0, &no_time));
  tell("recvmmsg within no time at all", recvmmsg(s, &none, 1, MSG_DONTWAIT, &nonsense));
  tell("lseek", lseek(s, 0, SEEK_CUR));
  tell("TCGETS", ioctl(s, 0x5401, whole));
}

static void addresses(int s) {
  struct sockaddr_in from;
  static const socklen_t sizes[] = {0, 4, 16, 128};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    uint8_t room[129];
    memset(room, 0xa5, sizeof room);
    socklen_t size = sizes[i];
    recvfrom(s, whole, sizeof whole, MSG_PEEK, (struct sockaddr *)room, &size);
    int written = 0;
    while (room[written] != 0xa5) written++;
    printf("address in %u bytes: %u, written %d\n", sizes[i], size, written);
  }
  socklen_t size = sizeof from;
  tell("no address, but a size", recvfrom(s, whole, sizeof whole, MSG_PEEK, NULL, &size));
  tell("no address", recvfrom(s, whole, 100, MSG_PEEK, NULL, NULL));
}

// A raw socket passes over flags that mean nothing to it, whichever call they come with.
static void odd_flags(int s) {
  static const int flags[] = {MSG_WAITALL, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC, 0x400, ~(MSG_OOB | MSG_ERRQUEUE), MSG_OOB};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    int odd = flags[i] | MSG_PEEK | MSG_DONTWAIT;
    struct iovec vector = {whole, 100};
    struct mmsghdr batch = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    tell("odd flags, recv", recv(s, whole, sizeof whole, odd));
    tell("odd flags, recv of less", recv(s, whole, 100, odd));
    tell("odd flags, recvmsg", recvmsg(s, &batch.msg_hdr, odd));
    tell("odd flags, recvmmsg", recvmmsg(s, &batch, 1, odd, NULL));
  }
}

static void one_byte_each(int s, int count, int flags) {
  struct iovec vector[IOV_MAX + 1];
  for (int i = 0; i < IOV_MAX; i++) vector[i] = (struct iovec){pieces + i, 1};
  struct sockaddr_in from;
  struct msghdr message = {
      .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = vector, .msg_iovlen = (size_t)count};
  memset(pieces, 0, sizeof pieces);
  ssize_t n = recvmsg(s, &message, MSG_PEEK | flags);
  int same = n < 0 || memcmp(pieces, whole, n < count ? n : count) == 0;
  printf("%d pieces of a byte: %zd%s%s\n", count, n < 0 ? -(ssize_t)errno : n, message.msg_flags & MSG_TRUNC ? " cut" : "",
         same ? "" : " WRONG");
}

static void sending_in_pieces(int s, const struct sockaddr_in *to, size_t size) {
  struct iovec vector[IOV_MAX] = {{0}};
  for (size_t i = 0; i < size; i++) vector[i] = (struct iovec){whole + i, 1};
  struct msghdr message = {
      .msg_name = (void *)to, .msg_namelen = sizeof *to, .msg_iov = vector, .msg_iovlen = size};
  tell("sent in pieces of a byte", sendmsg(s, &message, 0));
  message.msg_iovlen = IOV_MAX; // the others are empty
  tell("sent in as many pieces as there may be", sendmsg(s, &message, 0));
}

int details(int port) {
  int s = open_bound(port);
  say_ready();
  nothing(open_divert(0));
  struct pollfd p = {.fd = s, .events = POLLIN};
  if (poll(&p, 1, 10000) != 1) fail("poll");
  ask(s, "FIONREAD", FIONREAD);
  tell("read of nothing", read(s, whole, 0));
  tell("recv of nothing, looking", recv(s, whole, 0, MSG_PEEK));
  tell("MSG_TRUNC", recv(s, whole, 5, MSG_PEEK | MSG_TRUNC));
  tell("a short buffer", recv(s, whole, 5, MSG_PEEK));
  odd_flags(s);
  addresses(s);
  static const int counts[] = {0, 1, 27, 28, 29, IOV_MAX - 2, IOV_MAX - 1, IOV_MAX};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) one_byte_each(s, counts[i], 0);
  one_byte_each(s, 10, MSG_TRUNC);
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  ssize_t n = recvfrom(s, whole, sizeof whole, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
  tell("taken", n);
  sending_in_pieces(s, &from, n);
  tell("taken again", recv(s, whole, sizeof whole, MSG_DONTWAIT));
  return 0;
}

// Its link is taken down before it goes.
static void tell_gone(const char *what, long result) {
  if (result == -1 && errno == ENXIO) errno = ENETDOWN;
  tell(what, result);
}

// divertd ends, and another one comes, which SIGUSR1 tells, while a program has two sockets, one of them bound.
int outlives(int port) {
  uint8_t packet[28] = {0x45, [3] = 28, [8] = 64, [9] = 17, [12] = 192, 0, 2, 2, 192, 0, 2, 1};
  struct sockaddr_in to = {.sin_family = AF_INET};
  int bound = open_bound(port), other = open_divert(0), s = bound, told;
  sigset_t another_came;
  sigemptyset(&another_came);
  sigaddset(&another_came, SIGUSR1);
  sigprocmask(SIG_BLOCK, &another_came, NULL);
  say_ready();
  struct pollfd p = {.fd = s, .events = POLLIN};
  tell("poll", poll(&p, 1, 10000));
  ask(s, "FIONREAD", FIONREAD);
  tell("recv", recv(s, whole, sizeof whole, 0));
  tell("poll again", poll(&p, 1, 0));
  tell_gone("sendto", sendto(s, packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to));
  tell("bind without divertd", bind_divert(other, port));
  tell("socket without divertd", open_divert(0));
  say_ready();
  sigwait(&another_came, &told);
  s = open_divert(0);
  tell_gone("sendto after a restart", sendto(bound, packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to));
  tell("bind of an old socket", bind_divert(other, port));
  tell("bind of an old one that was bound", bind_divert(bound, port));
  tell("bind of a new one", bind_divert(s, port));
  tell("sendto by a new one", sendto(s, packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to));
  return 0;
}
