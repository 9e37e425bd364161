#pragma once
// A program as divert(4) describes them, in pieces. Nothing in it knows of Linux's way of doing this.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// As the command line says: 254 or 258 for socket(PF_INET, SOCK_RAW, …), 44 for socket(PF_DIVERT, SOCK_RAW, 0).
extern int number;

int open_divert(int type_flags);
int bind_divert(int s, int port);
int open_bound(int port);
void fail(const char *what);

// Says that it has its port.
void say_ready(void);

// Reads a packet, tells of it and writes it back with its address.
void pass_one(int s);
void pass(int s, int count);

int waits(const char *how, int port, int count);
int lives(const char *how, int port, int count);
int errors(int port);
int details(int port);
int outlives(int port);
int xdp(void);
int daq(const char *path, int port, int count);

// The socket that was opened and bound before any library's constructor ran.
extern int early_socket;
// Passes packets, and fails if memory is allocated for it.
void expect_no_allocation(int s, int count);
