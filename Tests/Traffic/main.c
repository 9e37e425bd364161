// Traffic for tests and benchmarks: sources and sinks that count and hash what they carry.
//
//   traffic tcp-sink PORT BYTES           prints "ready", then "BYTES HASH MICROSECONDS"
//   traffic tcp-source ADDRESS PORT BYTES prints "BYTES HASH MICROSECONDS"
//   traffic udp-echo PORT                 prints "ready", answers every datagram with its first 8 bytes
//   traffic udp-window ADDRESS PORT COUNT SIZE WINDOW
//                                         at most WINDOW unanswered; prints "SENT ANSWERED"
//   traffic udp-turns ADDRESS PORT COUNT SIZE
//                                         one at a time; prints "COUNT MICROSECONDS"
//   traffic udp-count PORT                prints "ready", then with the first datagram of a second "COUNT MICROSECONDS"
//                                         once nothing has come for 300 ms
//   traffic udp-flood ADDRESS PORT MILLISECONDS SIZE
//                                         prints "SENT MICROSECONDS"
//   traffic fragment-flood ADDRESS COUNT  first fragments only; prints "COUNT"
//   traffic divert-loop PORT              prints "ready", writes back what is diverted to the port
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

// An address of either version, and how long it is.
static socklen_t address(const char *host, const char *port, struct sockaddr_storage *a) {
  memset(a, 0, sizeof *a);
  if (strchr(host, ':')) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)a;
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(atoi(port))};
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) fail(host);
    return sizeof *six;
  }
  struct sockaddr_in *four = (struct sockaddr_in *)a;
  *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  if (inet_pton(AF_INET, host, &four->sin_addr) != 1) fail(host);
  return sizeof *four;
}

static int connected(const char *host, const char *port, int type) {
  struct sockaddr_storage a;
  socklen_t size = address(host, port, &a);
  int s = socket(a.ss_family, type, 0);
  if (connect(s, (struct sockaddr *)&a, size)) fail("connect");
  return s;
}

// FNV-1a, eight bytes at a time: enough to notice a changed, lost or exchanged byte.
static uint64_t hash(uint64_t h, const uint8_t *p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t w;
    memcpy(&w, p, 8);
    h = (h ^ w) * 0x100000001b3ull;
    h ^= h >> 29;
  }
  for (; n; p++, n--) h = (h ^ *p) * 0x100000001b3ull;
  return h;
}

static int tcp_sink(const char *port, uint64_t bytes) {
  static uint8_t block[1 << 16];
  int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1;  // IPv4, too
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_storage a;
  socklen_t size = address("::", port, &a);
  if (bind(listener, (struct sockaddr *)&a, size) || listen(listener, 1)) fail("listen");
  puts("ready");
  fflush(stdout);
  int s = accept(listener, NULL, NULL);
  if (s < 0) fail("accept");
  uint64_t begin = now(), got = 0, h = 0;
  // Blocks of one size on both sides, so that the hash does not depend on how the stream was cut.
  while (got < bytes) {
    size_t want = bytes - got < sizeof block ? bytes - got : sizeof block, have = 0;
    while (have < want) {
      ssize_t n = read(s, block + have, want - have);
      if (n <= 0) fail("read");
      have += n;
    }
    h = hash(h, block, want);
    got += want;
  }
  printf("%llu %016llx %llu\n", (unsigned long long)got, (unsigned long long)h, (unsigned long long)(now() - begin));
  return write(s, "k", 1) == 1 ? 0 : 1;
}

static int tcp_source(const char *host, const char *port, uint64_t bytes) {
  static uint8_t block[1 << 16];
  int s = connected(host, port, SOCK_STREAM);
  uint64_t begin = now(), sent = 0, h = 0, state = 88172645463325252ull;
  while (sent < bytes) {
    size_t want = bytes - sent < sizeof block ? bytes - sent : sizeof block, have = 0;
    for (size_t i = 0; i < sizeof block; i += 8) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      memcpy(block + i, &state, 8);
    }
    h = hash(h, block, want);
    while (have < want) {
      ssize_t n = write(s, block + have, want - have);
      if (n <= 0) fail("write");
      have += n;
    }
    sent += want;
  }
  char k;
  if (read(s, &k, 1) != 1) fail("wait for the sink");
  printf("%llu %016llx %llu\n", (unsigned long long)sent, (unsigned long long)h, (unsigned long long)(now() - begin));
  return 0;
}

static int bound_udp(const char *port) {
  int s = socket(AF_INET, SOCK_DGRAM, 0), size = 8 << 20;
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  struct sockaddr_storage a;
  if (bind(s, (struct sockaddr *)&a, address("0.0.0.0", port, &a))) fail("bind");
  puts("ready");
  fflush(stdout);
  return s;
}

static int udp_echo(const char *port) {
  int s = bound_udp(port);
  uint8_t packet[65536];
  for (;;) {
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(s, packet, sizeof packet, 0, (struct sockaddr *)&from, &size);
    if (n >= 8) sendto(s, packet, 8, 0, (struct sockaddr *)&from, size);
  }
}

static int udp_window(const char *host, const char *port, uint64_t count, size_t size, uint64_t window) {
  static uint8_t packet[65536];
  int s = connected(host, port, SOCK_DGRAM), buffer = 8 << 20;
  setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  uint64_t sent = 0, answered = 0;
  while (answered < count) {
    while (sent < count && sent - answered < window) {
      memcpy(packet, &sent, 8);
      if (send(s, packet, size, 0) < 0) fail("send");
      sent++;
    }
    struct pollfd p = {.fd = s, .events = POLLIN};
    if (poll(&p, 1, 3000) == 0) break;  // lost: nothing more will come
    uint8_t answer[8];
    while (recv(s, answer, 8, MSG_DONTWAIT) == 8) answered++;
  }
  printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)answered);
  return sent == answered ? 0 : 1;
}

static int udp_turns(const char *host, const char *port, uint64_t count, size_t size) {
  static uint8_t packet[65536];
  int s = connected(host, port, SOCK_DGRAM);
  struct timeval t = {3, 0};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
  uint64_t begin = now();
  for (uint64_t i = 0; i < count; i++) {
    uint8_t answer[8];
    if (send(s, packet, size, 0) < 0) fail("send");
    if (recv(s, answer, sizeof answer, 0) < 0) fail("recv");
  }
  printf("%llu %llu\n", (unsigned long long)count, (unsigned long long)(now() - begin));
  return 0;
}

// Reads in bursts, a millisecond apart: what is measured is the way to here, not how often a reader is woken.
static int udp_count(const char *port) {
  enum { burst = 64, quiet = 300000, patience = 10000000 };
  static uint8_t packets[burst][2048];
  static struct iovec vectors[burst];
  static struct mmsghdr messages[burst];
  for (int i = 0; i < burst; i++) {
    vectors[i] = (struct iovec){packets[i], sizeof packets[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  int s = bound_udp(port);
  uint64_t count = 0, first = 0, last = now();
  while (now() - last < (count ? quiet : patience)) {
    int came = recvmmsg(s, messages, burst, MSG_DONTWAIT, NULL);
    if (came > 0) {
      last = now();
      if (count == 0) first = last;
      count += came;
    } else {
      nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
  }
  printf("%llu %llu\n", (unsigned long long)count, (unsigned long long)(last - first));
  return 0;
}

static int udp_flood(const char *host, const char *port, uint64_t milliseconds, size_t size) {
  static uint8_t packet[65536];
  int s = connected(host, port, SOCK_DGRAM);
  struct mmsghdr batch[32];
  struct iovec vector = {packet, size};
  memset(batch, 0, sizeof batch);
  for (int i = 0; i < 32; i++) batch[i].msg_hdr.msg_iov = &vector, batch[i].msg_hdr.msg_iovlen = 1;
  uint64_t begin = now(), sent = 0;
  while (now() - begin < milliseconds * 1000) {
    int n = sendmmsg(s, batch, 32, 0);
    if (n > 0) sent += n;
  }
  printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)(now() - begin));
  return 0;
}

// First fragments of UDP datagrams whose others never come, from ever other sources.
static int fragment_flood(const char *host, uint32_t count) {
  static uint8_t packet[448];
  struct sockaddr_storage a;
  socklen_t size = address(host, "0", &a);
  int s = socket(a.ss_family, SOCK_RAW, IPPROTO_RAW);  // with a header of our own (raw(7), ipv6(7))
  if (s < 0) fail("socket");
  int six = a.ss_family == AF_INET6;
  // 400 bytes of data: of one that is not the last they come in eights.
  size_t length = six ? 448 : 420;
  if (six) {
    uint8_t header[48] = {0x60, [4] = (sizeof packet - 40) >> 8, (sizeof packet - 40) & 0xff, 44, 64, 0x20, 0x01, 0x0d, 0xb8};
    memcpy(packet, header, sizeof header);
    memcpy(packet + 24, &((struct sockaddr_in6 *)&a)->sin6_addr, 16);
    packet[40] = 17, packet[43] = 1;
  } else {
    packet[0] = 0x45, packet[6] = 0x20, packet[8] = 64, packet[9] = 17;
    memcpy(packet + 16, &((struct sockaddr_in *)&a)->sin_addr, 4);
  }
  for (uint32_t i = 0; i < count; i++) {
    uint32_t id = htonl(i), source = htonl(10u << 24 | i / 50);
    memcpy(packet + (six ? 44 : 4), six ? (uint8_t *)&id : (uint8_t *)&id + 2, six ? 4 : 2);
    memcpy(packet + (six ? 20 : 12), &source, 4);
    if (sendto(s, packet, length, 0, (struct sockaddr *)&a, size) < 0 && errno != ENOBUFS) fail("sendto");
  }
  printf("%u\n", count);
  return 0;
}

// A program for BSD's divert sockets as short as can be: every packet goes on, one by one.
static int divert_loop(const char *port) {
  static uint8_t packet[65536];
  int s = socket(AF_INET, SOCK_RAW, 258);
  struct sockaddr_storage a;
  if (s < 0 || bind(s, (struct sockaddr *)&a, address("0.0.0.0", port, &a))) fail("divert socket");
  puts("ready");
  fflush(stdout);
  for (;;) {
    socklen_t size = sizeof a;
    ssize_t n = recvfrom(s, packet, sizeof packet, 0, (struct sockaddr *)&a, &size);
    if (n < 0) fail("recvfrom");
    sendto(s, packet, n, 0, (struct sockaddr *)&a, size);
  }
}

int main(int n, char **w) {
  if (n == 4 && !strcmp(w[1], "tcp-sink")) return tcp_sink(w[2], strtoull(w[3], NULL, 10));
  if (n == 5 && !strcmp(w[1], "tcp-source")) return tcp_source(w[2], w[3], strtoull(w[4], NULL, 10));
  if (n == 3 && !strcmp(w[1], "udp-echo")) return udp_echo(w[2]);
  if (n == 7 && !strcmp(w[1], "udp-window"))
    return udp_window(w[2], w[3], strtoull(w[4], NULL, 10), atoi(w[5]), strtoull(w[6], NULL, 10));
  if (n == 6 && !strcmp(w[1], "udp-turns"))
    return udp_turns(w[2], w[3], strtoull(w[4], NULL, 10), atoi(w[5]));
  if (n == 3 && !strcmp(w[1], "udp-count")) return udp_count(w[2]);
  if (n == 6 && !strcmp(w[1], "udp-flood")) return udp_flood(w[2], w[3], strtoull(w[4], NULL, 10), atoi(w[5]));
  if (n == 4 && !strcmp(w[1], "fragment-flood")) return fragment_flood(w[2], strtoul(w[3], NULL, 10));
  if (n == 3 && !strcmp(w[1], "divert-loop")) return divert_loop(w[2]);
  fputs("traffic: see the head of its source\n", stderr);
  return 64;
}
