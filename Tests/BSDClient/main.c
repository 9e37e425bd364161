// client NUMBER pass|drop|answer|inject|errors|details|outlives|xdp|daq|WAIT|LIFE PORT [COUNT]: see the files beside this one.
#include "client.h"

int number;

void fail(const char *what) {
  perror(what);
  exit(1);
}

int open_divert(int type_flags) {
  return number == 44 ? socket(44, SOCK_RAW | type_flags, 0) : socket(PF_INET, SOCK_RAW | type_flags, number);
}

int bind_divert(int s, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x01020304)};
  return bind(s, (struct sockaddr *)&name, sizeof name);
}

int open_bound(int port) {
  int s = open_divert(0);
  if (s < 0) fail("socket");
  if (bind_divert(s, port) != 0) fail("bind");
  return s;
}

void say_ready(void) {
  puts("ready");
  fflush(stdout);
}

static uint8_t packet[65536];

static ssize_t receive(int s, struct sockaddr_in *from) {
  socklen_t size = sizeof *from;
  ssize_t n = recvfrom(s, packet, sizeof packet, 0, (struct sockaddr *)from, &size);
  if (n < 0) fail("recvfrom");
  const char *name = (char *)from->sin_zero;
  printf("%s %s %d %zd\n", from->sin_addr.s_addr == INADDR_ANY ? "out" : "in", name, from->sin_port, n);
  fflush(stdout);
  return n;
}

static void send_back(int s, ssize_t n, const struct sockaddr_in *to) {
  if (sendto(s, packet, n, 0, (struct sockaddr *)to, sizeof *to) != n) fail("sendto");
}

void pass_one(int s) {
  struct sockaddr_in from;
  ssize_t n = receive(s, &from);
  send_back(s, n, &from);
}

void pass(int s, int count) {
  while (count-- > 0) pass_one(s);
}

static void drop(int s, int count) {
  struct sockaddr_in from;
  while (count-- > 0) receive(s, &from);
}

static uint16_t checksum(const uint8_t *bytes, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i < size; i++) sum += i % 2 ? bytes[i] : bytes[i] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

// The other way round: requests that come in go out again as answers, with a shorter packet, by this program alone.
static void answer(int s, int count) {
  struct sockaddr_in from;
  while (count-- > 0) {
    ssize_t n = receive(s, &from) - 8;
    uint32_t source;
    memcpy(&source, packet + 12, 4);
    memcpy(packet + 12, packet + 16, 4);
    memcpy(packet + 16, &source, 4);
    packet[2] = n >> 8, packet[3] = n;
    packet[20] = 0; // echo reply
    packet[22] = packet[23] = 0;
    uint16_t sum = checksum(packet + 20, n - 20);
    packet[22] = sum >> 8, packet[23] = sum;
    from.sin_addr.s_addr = INADDR_ANY; // its header checksum is the kernel's to set
    memset(from.sin_zero, 0, sizeof from.sin_zero);
    send_back(s, n, &from);
  }
}

// A packet of one's own, by a second socket that has no port: zapret's way.
static int inject(void) {
  static const uint8_t request[] = {0x45, 0, 0, 28, 0, 7, 0, 0, 64, 1, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1,
                                    8,    0, 0xf7, 0xf4, 0, 7, 0, 4};
  struct sockaddr_in to = {.sin_family = AF_INET};
  int s = open_divert(0);
  if (s < 0) fail("socket");
  if (sendto(s, request, sizeof request, 0, (struct sockaddr *)&to, sizeof to) != sizeof request) fail("sendto");
  return 0;
}

int main(int n, char **w) {
  if (n < 4) return 64;
  number = atoi(w[1]);
  const char *what = w[2];
  int port = atoi(w[3]), count = n > 4 ? atoi(w[4]) : 1;
  alarm(20);
  if (!strcmp(what, "errors")) return errors(port);
  if (!strcmp(what, "details")) return details(port);
  if (!strcmp(what, "outlives")) return outlives(port);
  if (!strcmp(what, "inject")) return inject();
  if (!strcmp(what, "xdp")) return xdp();
  if (!strcmp(what, "daq")) return daq(w[1], port, count);
  void (*act)(int, int) = NULL;
  if (!strcmp(what, "pass")) act = pass;
  if (!strcmp(what, "drop")) act = drop;
  if (!strcmp(what, "answer")) act = answer;
  if (act) {
    int s = open_bound(port);
    say_ready();
    act(s, count);
    return 0;
  }
  int status = waits(what, port, count);
  return status >= 0 ? status : lives(what, port, count);
}
