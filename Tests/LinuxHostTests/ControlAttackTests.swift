import Foundation
import Namespaces
import Testing

/// What a local user may send over the control socket harms nobody else.
@Suite(.serialized) struct ControlAttackTests {
  private let namespace: Namespace
  private let daemon: RunningDaemon

  init() throws {
    namespace = try Namespace()
    try namespace.run("ip", "link", "set", "lo", "up")
    daemon = try RunningDaemon(in: namespace)
    try namespace.run("chmod", "755", URL(fileURLWithPath: daemon.socket).deletingLastPathComponent().path)
  }

  /// For all scripts: the user nobody, who sends messages with as many descriptors as it likes.
  private static let prelude = """
    import array, ctypes, errno, os, select, signal, socket, struct, sys
    RIGHTS = socket.SCM_RIGHTS
    def connect():
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.connect(os.environ["DIVERT_SOCKET"]); s.settimeout(60)
        return s
    def message(kind, body=b""): return struct.pack("!IB", 1 + len(body), kind) + body
    def send(s, data, *groups):
        s.sendmsg([data], [(socket.SOL_SOCKET, RIGHTS, array.array("i", group)) for group in groups])
    def text(*words): return b"".join(struct.pack("!I", len(w)) + w.encode() for w in words)
    def answer(s):
        "The kind and body of an answer; None where divertd has hung up."
        data = b""
        try:
            while len(data) < 4 or len(data) < 4 + struct.unpack("!I", data[:4])[0]:
                more = s.recv(65536)
                if not more: return None
                data += more
        except ConnectionResetError: return None
        return data[4], data[5:]
    def code(answered): return struct.unpack("!I", answered[1][:4])[0]
    def become(user): os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
    def lingering(seconds):
        "A TCP socket with data that its peer does not read: close(2) waits, if the kernel is let."
        listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(1)
        client = socket.socket(); client.connect(listener.getsockname()); peer, _ = listener.accept()
        client.setblocking(False)
        try:
            while True: client.send(bytes(65536))
        except BlockingIOError: pass
        client.setblocking(True)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
        return client, (listener, peer)

    """

  private func start(_ script: String) throws -> LeashedProcess {
    try namespace.start(["python3", "-c", Self.prelude + script], environment: daemon.environment)
  }

  /// Runs a script to its end.
  ///
  /// - Returns: What it has printed.
  @discardableResult
  private func run(_ script: String) throws -> String {
    try namespace.run(["python3", "-c", Self.prelude + script], environment: daemon.environment).output
  }

  private func descriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.process.identifier)/fd").count
  }

  /// What is closed in the background is gone sooner or later: each question to divertd gives it time.
  private func expectDescriptors(_ wanted: Int, _ location: SourceLocation = #_sourceLocation) throws {
    var tries = 0
    while try descriptors() > wanted, tries < 500 {
      try daemon.ipfw("list")
      tries += 1
    }
    #expect(try descriptors() <= wanted, sourceLocation: location)
  }

  @Test func `descriptors that no message wants are closed, and the connection with them`() throws {
    let before = try descriptors()
    let output = try run(
      """
      become(65534)
      null = os.open("/dev/null", 0)
      bind = message(2, struct.pack("!H", 2000))
      rows = [
          ("with a question that wants none", lambda s: send(s, message(7), [null])),
          ("two where one is wanted", lambda s: send(s, bind, [null, null])),
          ("two groups", lambda s: send(s, bind, [null], [null])),
          ("as many as go", lambda s: send(s, bind, [null] * 253)),
          ("with the body", lambda s: (send(s, bind[:5]), send(s, bind[5:], [null]))),
          ("with each byte", lambda s: [send(s, bytes([b]), [null]) for b in bind]),
          ("behind a whole message", lambda s: send(s, message(7) * 2, [null])),
          ("with half a head", lambda s: send(s, b"\\0\\0", [null] * 253)),
          ("with no message", lambda s: send(s, b"GET / HTTP/1.1\\r\\n\\r\\n", [null] * 100)),
      ]
      for name, attack in rows:
          s = connect()
          try:
              attack(s)
              if name == "with half a head": s.shutdown(socket.SHUT_WR)
          except BrokenPipeError: pass
          last = answer(s)
          while last is not None: last = answer(s)
          print("hung up:", name)
      s = connect()
      send(s, bind, [null]); print("one, of no socket:", errno.errorcode[code(answer(s))])
      send(s, bind); print("none:", errno.errorcode[code(answer(s))])
      """)
    #expect(output.split(separator: "\n").count == 11, "\(output)")
    #expect(output.hasSuffix("one, of no socket: ENOTSOCK\nnone: EBADF\n"), "\(output)")
    try expectDescriptors(before)
  }

  @Test func `a socket that lingers holds nothing up`() throws {
    let before = try descriptors()
    let attack = try start(
      """
      become(65534)
      bind = message(2, struct.pack("!H", 2000))
      # Where divertd was quicker, the close here is the last one, and lingers: a signal ends that.
      signal.signal(signal.SIGALRM, lambda *_: None)
      signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
      kept = []
      for way in range(4):
          client, peer = lingering(3600)
          s = connect()
          if way == 0: send(s, bind, [client.fileno()])
          if way == 1: send(s, message(1), [client.fileno()])
          if way == 2: send(s, bind[:4], [client.fileno()])
          if way == 3:
              # Never received: it goes with the connection.
              send(s, message(99)); send(s, bind, [client.fileno()])
          client.close()
          kept += [peer]
          if way > 0: s.close()
          else: kept += [s]; print(errno.errorcode[code(answer(s))])
      print("sent", flush=True)
      while True: signal.pause()
      """)
    #expect(try attack.line() == "EINVAL")
    #expect(try attack.line() == "sent")
    for _ in 0..<3 { #expect(try daemon.ipfw("list") == "65535 allow ip from any to any\n") }
    // All but the connection that is still open.
    try expectDescriptors(before + 1)
    attack.signal(SIGKILL)
    attack.result()
    try expectDescriptors(before)
  }

  @Test func `a user's connections are limited, and others have theirs`() throws {
    let attack = try start(
      """
      become(65534)
      connections = [connect() for i in range(64)]
      print("connected", flush=True)
      signal.pause()
      """)
    #expect(try attack.line() == "connected")
    let output = try run(
      """
      if os.fork() == 0:
          become(65534)
          s = connect()
          kind, body = answer(s)
          print(errno.errorcode[code((kind, body))], body[8:].decode(), flush=True)
          print(answer(s), flush=True)
          sys.exit()
      os.wait()
      become(65533)
      s = connect(); s.sendall(message(7)); print(errno.errorcode[code(answer(s))])
      """)
    #expect(
      output == """
        EUSERS connect to divertd; close some of the 64 connections of user 65534
        None
        EPERM

        """)
    for _ in 0..<3 { try daemon.ipfw("list") }
    let program = try namespace.start(
      [Programs.path("divert"), "pass", "2000"], environment: daemon.environment)
    #expect(try program.errorLine() == "divert: listening on divert port 2000")
    program.signal(SIGTERM)
    program.result()
    attack.signal(SIGKILL)
    attack.result()
    // The places of connections that have ended are free again.
    var tries = 0
    while try !run("become(65534); s = connect(); s.sendall(message(7)); print(answer(s)[1][:4])")
      .hasPrefix("b'\\x00\\x00\\x00\\x01'"), tries < 100
    { tries += 1 }
    #expect(tries < 100)
  }

  @Test func `all users together leave places for the superuser`() throws {
    let attack = try start(
      """
      users = [60000 + i for i in range(5)]
      kept = []
      for user in users:
          os.setresgid(user, user, user); os.setresuid(user, user, 0)
          kept += [connect() for i in range(64)]
          os.setresuid(0, 0, 0)
      print("connected", flush=True)
      signal.pause()
      """)
    #expect(try attack.line() == "connected")
    let output = try run("become(65000); print(answer(connect())[1][8:].decode())")
    #expect(output == "connect to divertd; all 256 connections for users without privilege are in use\n")
    #expect(try daemon.ipfw("list") == "65535 allow ip from any to any\n")
    attack.signal(SIGKILL)
    attack.result()
  }

  @Test func `answers that are not read are not kept, and questions wait`() throws {
    let attack = try start(
      """
      become(65534)
      s = connect(); s.setblocking(False)
      questions = message(6, b"\\x07\\xd0\\x01") * 8192
      sent = 0
      # divertd reads no more as soon as an answer does not go: the buffers stay full.
      while select.select([], [s], [], 1)[1]:
          try: sent += s.send(questions[sent % 8:])
          except BlockingIOError: pass
      print(sent, flush=True)
      # Each answer that is read makes room for the next: there is one for each question.
      s.settimeout(60)
      stream = s.makefile("rb")
      for i in range(sent // 8):
          length, = struct.unpack("!I", stream.read(4))
          assert code((0, stream.read(length)[1:])) == errno.EPERM
      print("read", flush=True)
      """)
    let sent = try #require(Int(try attack.line()))
    #expect(sent < 4 << 20, "the kernel's buffers, no more")
    #expect(try daemon.ipfw("list") == "65535 allow ip from any to any\n")
    #expect(try attack.line() == "read")
    #expect(attack.result().status == 0)
  }
}
