import Foundation
import Namespaces
import Testing

/// Divert sockets as other languages make them, and snort's own module.
@Suite(.serialized) struct ScriptedBSDProgramTests {
  private let host: LinuxScenario

  init() throws {
    host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in")
  }

  /// Each passes three packets and prints a line for each.
  private func expectPassing(
    _ words: [String], lines: [String], _ location: SourceLocation = #_sourceLocation
  )
    throws
  {
    let result = try BSDProgram(words, in: host).ping(3)
    #expect(result.answered == 3 && result.status == 0, "\(result.lines)", sourceLocation: location)
    #expect(result.lines == lines, sourceLocation: location)
  }

  /// Python shows the address's first two parts only, and the tag with its bytes swapped.
  @Test func `Python, with timeouts`() throws {
    let program = """
      import socket
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
      s.bind(("0.0.0.0", 2000))
      s.settimeout(0.01)
      try: s.recv(1)
      except socket.timeout: print("nothing yet")
      print("ready", flush=True)
      s.settimeout(10)
      for i in range(3):
          packet, address = s.recvfrom(65535)
          s.sendto(packet, address)
          print(len(packet), address[0], socket.ntohs(address[1]))
      """
    try expectPassing(["python3", "-c", program], lines: Array(repeating: "84 192.0.2.2 100", count: 3))
  }

  @Test func `Python's asyncio, and a copy of the socket`() throws {
    let program = """
      import asyncio, socket
      first = socket.socket(socket.AF_INET, socket.SOCK_RAW, 258)
      first.bind(("0.0.0.0", 2000))
      s = socket.socket(fileno=first.dup().detach())
      first.close()
      s.setblocking(False)
      print(s.family.name, s.type.name, s.proto, s.getsockname())
      async def main():
          done = asyncio.get_running_loop().create_future()
          left = [3]
          def read():
              packet, address = s.recvfrom(65535)
              s.sendto(packet, address)
              print(len(packet))
              left[0] -= 1
              if not left[0]: done.set_result(None)
          asyncio.get_running_loop().add_reader(s, read)
          print("ready", flush=True)
          await asyncio.wait_for(done, 10)
      asyncio.run(main())
      """
    try expectPassing(["python3", "-c", program], lines: ["84", "84", "84"])
  }

  @Test func `Python: the socket is closed by another thread, a child has a copy`() throws {
    let program = """
      import socket, subprocess, sys, threading
      s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
      s.bind(("0.0.0.0", 2000))
      number = s.fileno()
      threading.Thread(target=lambda: s.recvfrom(65535), daemon=True).start()
      child = "import socket; s = socket.socket(fileno=%d); print('ready', flush=True)\\n" % number
      child += "for i in range(3): p, a = s.recvfrom(65535); s.sendto(p, a); print(len(p))"
      process = subprocess.Popen([sys.executable, "-c", child], pass_fds=[number])
      s.close()
      f = open("/dev/null", "wb", buffering=0)
      assert f.fileno() == number and f.write(b"xyz") == 3
      sys.exit(process.wait())
      """
    // The thread that had begun to wait takes a packet, as on BSD, and has nowhere to write it.
    let result = try BSDProgram(["python3", "-c", program], in: host).ping(4)
    #expect(result.answered == 3 && result.status == 0 && result.lines == ["84", "84", "84"], "\(result)")
  }

  /// The kernel knows when the last one is closed; a program that has no idea of divert sockets may hold it.
  @Test func `Python: a copy in a program without the library keeps the port`() throws {
    let program = """
      import os, socket, subprocess
      def bind():
          s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
          try: s.bind(("0.0.0.0", 2001))
          except OSError as error: print(os.strerror(error.errno))
          else: print("bound")
          return s
      s = bind()
      bare = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
      holder = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=bare, pass_fds=[s.fileno()])
      s.close()
      bind().close()
      holder.communicate()
      ours, theirs = socket.socketpair()
      wait = "import socket; s = socket.socket(fileno=0); print(socket.recv_fds(s, 1, 1)[0], flush=True); s.recv(1)"
      holder = subprocess.Popen(["python3", "-c", wait], stdin=theirs, stdout=subprocess.PIPE, env=bare)
      s = bind()
      socket.send_fds(ours, [b"x"], [s.fileno()])
      s.close()
      holder.stdout.readline()
      bind().close()
      ours.send(b"y")
      holder.wait()
      bind()
      """
    let lines = try host.divertExec(["python3", "-c", program]).output.split(separator: "\n")
    #expect(
      lines == ["bound", "Address already in use", "bound", "Address already in use", "bound"], "\(lines)")
  }

  @Test func `Perl`() throws {
    let program = """
      use Socket; $| = 1;
      socket(my $s, PF_INET, SOCK_RAW, 254) or die "socket: $!";
      bind($s, sockaddr_in(2000, INADDR_ANY)) or die "bind: $!";
      print "ready\\n";
      for (1 .. 3) {
        defined(my $from = recv($s, my $packet, 65535, 0)) or die "recv: $!";
        send($s, $packet, 0, $from) == length $packet or die "send: $!";
        print length $packet, " ", unpack("x8 Z8", $from), "\\n";
      }
      """
    try expectPassing(["perl", "-e", program], lines: ["84 em0", "84 em0", "84 em0"])
  }

  @Test(.enabled(if: installed("ruby"), "needs Ruby")) func `Ruby`() throws {
    let program = """
      require "socket"
      $stdout.sync = true
      s = Socket.new(Socket::AF_INET, Socket::SOCK_RAW, 258)
      s.bind(Addrinfo.new(Socket.sockaddr_in(2000, "0.0.0.0")))
      puts "ready"
      3.times do
        packet, from = s.recvfrom(65535)
        s.send(packet, 0, from)
        puts packet.bytesize
      end
      """
    try expectPassing(["ruby", "-e", program], lines: ["84", "84", "84"])
  }

  @Test(.enabled(if: snortModule != nil, "needs the package libdaq2"))
  func `snort's module, as Debian compiled it, blocks every second packet`() throws {
    let module = try #require(snortModule)
    let result = try BSDProgram([BSDProgram.client, module, "daq", "2000", "4"], in: host).ping(4)
    #expect(result.answered == 2 && result.status == 0, "\(result.lines)")
    #expect(result.lines == ["pass 84 1", "block 84 1", "pass 84 1", "block 84 1"])
  }
}

private func installed(_ program: String) -> Bool {
  ["/usr/bin", "/usr/local/bin", "/bin"].contains { access("\($0)/\(program)", X_OK) == 0 }
}

private let snortModule: String? = ["x86_64", "aarch64"].map {
  "/usr/lib/\($0)-linux-gnu/daq/daq_ipfw.so"
}.first { access($0, R_OK) == 0 }
