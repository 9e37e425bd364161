// Every call that goes wrong, a line for each: what, and the name of its errno.
#include "client.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static void tell(const char *what, long result) {
  printf("%s: %s\n", what, result == -1 ? strerrorname_np(errno) : "ok");
}

static struct sockaddr_in address(int family, int tag, uint32_t host, const char *name) {
  struct sockaddr_in a = {.sin_family = family, .sin_port = tag, .sin_addr.s_addr = htonl(host)};
  memcpy(a.sin_zero, name, strnlen(name, 8));
  return a;
}

static void opening(void) {
  tell("socket", open_divert(SOCK_CLOEXEC | SOCK_NONBLOCK));
}

static void binding(int s, int port) {
  struct sockaddr_in a = address(AF_INET6, htons(port), 0, "");
  tell("bind of another family", bind(s, (struct sockaddr *)&a, sizeof a));
  a.sin_family = AF_INET;
  tell("bind with a short address", bind(s, (struct sockaddr *)&a, sizeof a - 1));
  struct sockaddr_storage large = {.ss_family = AF_INET};
  tell("bind with a long address", bind(s, (struct sockaddr *)&large, sizeof large));
  tell("bind", bind_divert(s, port));
  tell("bind again", bind_divert(s, port + 1));
  int other = open_divert(0);
  tell("bind of a port in use", bind_divert(other, port));
  tell("bind of port 0", bind_divert(other, 0));
  socklen_t size = sizeof a;
  tell("getsockname", getsockname(other, (struct sockaddr *)&a, &size));
  printf("a port was picked: %s\n", ntohs(a.sin_port) >= 1024 && size == sizeof a ? "yes" : "no");
  close(other);
}

static void not_connected(int s) {
  struct sockaddr_in a = address(AF_INET, htons(1), 1, "");
  socklen_t size = sizeof a;
  tell("connect", connect(s, (struct sockaddr *)&a, sizeof a));
  tell("listen", listen(s, 1));
  tell("accept", accept(s, NULL, NULL));
  tell("shutdown", shutdown(s, SHUT_RDWR));
  tell("getpeername", getpeername(s, (struct sockaddr *)&a, &size));
  tell("getsockname", getsockname(s, (struct sockaddr *)&a, &size));
  printf("name: %d %08x %d\n", a.sin_family, ntohl(a.sin_addr.s_addr), ntohs(a.sin_port));
}

static void without_address(int s) {
  static uint8_t packet[40] = {0x45, 0, 0, 40};
  struct iovec vector = {packet, sizeof packet};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  tell("write", write(s, packet, sizeof packet));
  tell("writev", writev(s, &vector, 1));
  tell("send", send(s, packet, sizeof packet, 0));
  tell("sendmsg", sendmsg(s, &message, 0));
  tell("sendto NULL", sendto(s, packet, sizeof packet, 0, NULL, 0));
}

static void sending(int s) {
  static const struct {
    const char *what;
    int size, version, length; // of the packet; by its own header
    int family;
    uint32_t host;
    const char *name;
  } rows[] = {
      {"no header", 19, 4, 19, AF_INET, 0, ""},
      {"nothing", 0, 4, 0, AF_INET, 0, ""},
      {"no header, incoming", 19, 4, 19, AF_INET, 1, "em0"},
      {"another family", 28, 4, 28, AF_INET6, 0, ""},
      {"another family and no header", 19, 4, 28, AF_INET6, 0, ""},
      {"version 5", 28, 5, 28, AF_INET, 0, ""},
      {"version 5, incoming", 28, 5, 28, AF_INET, 1, "em0"},
      {"longer than it is", 28, 4, 29, AF_INET, 0, ""},
      {"longer than it is, incoming", 28, 4, 29, AF_INET, 1, "em0"},
      {"IPv6 longer than it is", 48, 6, 9, AF_INET, 0, ""},
      {"too long", 65536, 4, 100, AF_INET, 0, ""},
      {"longer than a link takes", 65522, 4, 100, AF_INET, 0, ""},
      {"too long, incoming", 65536, 4, 100, AF_INET, 1, "em0"},
      {"no such address", 28, 4, 28, AF_INET, 0xc0000209, ""},
      {"no such interface, no such address", 28, 4, 28, AF_INET, 0xc0000209, "em9"},
      {"no such interface, but an address", 28, 4, 28, AF_INET, 0xc0000202, "em9"},
      {"a name without an end, and no such address", 28, 4, 28, AF_INET, 0xc0000209, "em0em0em"},
      {"an interface, the address does not matter", 28, 4, 28, AF_INET, 1, "em0"},
      {"outgoing", 28, 4, 28, AF_INET, 0, ""},
      {"outgoing, longer than its own length", 40, 4, 28, AF_INET, 0, ""},
  };
  static uint8_t packet[65536];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    static const uint8_t addresses[] = {192, 0, 2, 1, 192, 0, 2, 1}; // to A, by UDP's number, which it ignores
    memset(packet, 0, sizeof packet);
    packet[0] = rows[i].version << 4 | 5;
    packet[rows[i].version == 6 ? 5 : 3] = rows[i].length;
    packet[8] = 64, packet[9] = 17;
    memcpy(packet + 12, addresses, sizeof addresses);
    struct sockaddr_in to = address(rows[i].family, 65534, rows[i].host, rows[i].name);
    tell(rows[i].what, sendto(s, packet, rows[i].size, 0, (struct sockaddr *)&to, sizeof to));
  }
  struct sockaddr_in to = address(AF_INET, 0, 0, "");
  packet[0] = 0x45;
  tell("a short address", sendto(s, packet, 28, 0, (struct sockaddr *)&to, 8));
  tell("an address of one byte", sendto(s, packet, 28, 0, (struct sockaddr *)&to, 1));
}

// What routes and rules refuse: divert(4), "the usual errors possible when writing raw packets".
static void sending_by_routes(int s) {
  static const struct {
    const char *what;
    int size, fragmenting_forbidden;
    uint32_t destination;
  } rows[] = {
      {"no route", 28, 0, 0xcb007109},
      {"denied by a rule", 28, 0, 0xc000024d},
      {"larger than the route takes", 1600, 1, 0xc0000201},
      {"a neighbour", 28, 0, 0xc0000201},
  };
  static uint8_t packet[2048];
  struct sockaddr_in to = address(AF_INET, 0, 0, "");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint32_t source = htonl(0xc0000202), destination = htonl(rows[i].destination);
    memset(packet, 0, sizeof packet);
    packet[0] = 0x45, packet[2] = rows[i].size >> 8, packet[3] = rows[i].size;
    packet[6] = rows[i].fragmenting_forbidden ? 0x40 : 0, packet[8] = 64, packet[9] = 17;
    memcpy(packet + 12, &source, 4);
    memcpy(packet + 16, &destination, 4);
    tell(rows[i].what, sendto(s, packet, rows[i].size, 0, (struct sockaddr *)&to, sizeof to));
  }
}

// Two threads, of which one writes what a rule denies: the other one is not told so.
static int written_by_both;

static void *write_denied(void *packet) {
  struct sockaddr_in to = address(AF_INET, 0, 0, "");
  for (int i = 0; i < 2000; i++) sendto(written_by_both, packet, 28, 0, (struct sockaddr *)&to, sizeof to);
  return NULL;
}

static void sending_beside_another(int s) {
  uint8_t packet[28] = {0x45, [3] = 28, [8] = 64, [9] = 17, [12] = 192, 0, 2, 2, 192, 0, 2, 1}, denied[28];
  struct sockaddr_in to = address(AF_INET, 0, 0, "");
  int told = 0;
  pthread_t thread;
  memcpy(denied, packet, sizeof denied);
  denied[19] = 77;
  written_by_both = s;
  pthread_create(&thread, NULL, write_denied, denied);
  for (int i = 0; i < 2000; i++) told += sendto(s, packet, 28, 0, (struct sockaddr *)&to, sizeof to) != 28;
  pthread_join(thread, NULL);
  printf("refused beside another thread: %d\n", told);
  tell("denied, alone again", sendto(s, denied, sizeof denied, 0, (struct sockaddr *)&to, sizeof to));
}

static void option(int s, const char *name, int level, int option, int value) {
  int back = -1;
  socklen_t size = sizeof back;
  printf("%s ", name);
  tell("set", setsockopt(s, level, option, &value, sizeof value));
  printf("%s ", name);
  tell("get", getsockopt(s, level, option, &back, &size));
  printf("%s: %d\n", name, back);
}

static void asking(int s, const char *name, int level, int option) {
  int back = -1;
  socklen_t size = sizeof back;
  int result = getsockopt(s, level, option, &back, &size);
  printf("%s: %d\n", name, result == 0 ? back : -errno);
}

static void options(int s) {
  asking(s, "SO_TYPE", SOL_SOCKET, SO_TYPE);
  asking(s, "SO_DOMAIN", SOL_SOCKET, SO_DOMAIN);
  asking(s, "SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL);
  asking(s, "SO_RCVBUF at first", SOL_SOCKET, SO_RCVBUF);
  asking(s, "SO_SNDBUF at first", SOL_SOCKET, SO_SNDBUF);
  asking(s, "IP_HDRINCL", IPPROTO_IP, IP_HDRINCL);
  option(s, "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 4 << 20);
  option(s, "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 70000);
  option(s, "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1);
  option(s, "IP_HDRINCL", IPPROTO_IP, IP_HDRINCL, 1);
  int value = 1;
  tell("SO_REUSEPORT", setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value));
  tell("SO_REUSEPORT_LB", setsockopt(s, SOL_SOCKET, 0x10000, &value, sizeof value));
  tell("SO_USER_COOKIE", setsockopt(s, SOL_SOCKET, 0x1015, &value, sizeof value));
  tell("IP_TTL", setsockopt(s, IPPROTO_IP, IP_TTL, &value, sizeof value));
  tell("SO_DONTROUTE", setsockopt(s, SOL_SOCKET, SO_DONTROUTE, &value, sizeof value));
  tell("IP_DIVERTFL", setsockopt(s, IPPROTO_IP, 0x1022, &value, sizeof value));
  tell("FIONREAD", ioctl(s, FIONREAD, &value));
  struct timeval little = {0, 1000};
  tell("SO_RCVTIMEO", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little));
  tell("nothing within SO_RCVTIMEO", recvfrom(s, &value, sizeof value, 0, NULL, NULL));
  tell("nothing, not waiting", recv(s, &value, sizeof value, MSG_DONTWAIT));
}

int errors(int port) {
  opening();
  int s = open_divert(0);
  if (s < 0) fail("socket");
  not_connected(s);
  binding(s, port);
  not_connected(s);
  without_address(s);
  sending(s);
  sending_by_routes(s);
  sending_beside_another(s);
  options(s);
  if (setuid(65534) != 0) fail("setuid");
  tell("socket without privilege", open_divert(0));
  return 0;
}
