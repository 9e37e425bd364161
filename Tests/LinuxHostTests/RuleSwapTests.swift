import Divert
import DivertWire
import Foundation
import Namespaces
import TestSupport
import Testing

/// Rule sets that replace each other while packets flow.
@Suite(.serialized) struct RuleSwapTests {
  /// Both sets deny UDP to port 7777 and allow it to 7778, each in its own way: judged half by one and half by the other
  /// set (the numbers, the classes, the default), a packet would get another verdict.
  private static let closed = """
    flush
    add 100 deny udp from any to any 7777 in
    add 200 divert 2000 icmp from any to any in
    add 300 allow udp from 192.0.2.0/24 to any 7778
    add 400 deny udp from any to any
    """
  private static let open = """
    flush
    add 50 count ip from any to any
    add 60 skipto 1000 udp from any to any
    add 70 deny ip from any to any
    add 1000 deny udp from any to any { dst-port 7770-7777 or dst-port 7779 }
    add 1100 allow ip from any to any
    """
  /// The same with other rules beside, on which the flows do not depend. Of these there are more than the host has
  /// counters for, and than images of the usual size hold: other maps and programs take over.
  private static let large = closed + (0..<17_000).map(other).joined()

  private static func other(_ index: Int) -> String {
    "\nadd \(1000 + index) deny tcp from 10.\(index >> 8).\(index & 255).0/24 to any \(1 + index)-\(60_000 - index)"
  }

  /// Sends to both ports in bursts, until SIGTERM.
  private static let sender = """
    import signal, socket, sys, time
    running = True
    def stop(*_):
        global running
        running = False
    signal.signal(signal.SIGTERM, stop)
    s, n = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
    def send(what):
        for port in (7777, 7778): s.sendto(what, ("192.0.2.2", port))
    print("ready", flush=True)
    while running and n < 100000:
        for _ in range(10): send(b"x")
        n += 10
        time.sleep(0.002)
    send(b"end")
    print(n)
    """
  /// Counts what comes to each port. Its buffers hold all that is sent, so that a slow reader loses nothing.
  private static let receiver = """
    import select, socket
    sockets, counts, ended = [], [0, 0], False
    for port in (7777, 7778):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, 33, 128 << 20)  # SO_RCVBUFFORCE
        s.bind(("", port))
        sockets.append(s)
    print("ready", flush=True)
    while not ended:
        readable = select.select(sockets, [], [], 60)[0]
        if not readable: break
        for s in readable:
            if s.recv(10) == b"end": ended = True
            else: counts[sockets.index(s)] += 1
    print(*counts)
    """

  @Test func `in 200 swaps under load no packet is misjudged`() throws {
    let host = try LinuxScenario()
    var connection = try ControlConnection(path: host.daemon.socket)
    try Self.replaceRules(with: Self.open, &connection)
    let receiver = try host.b.start(["python3", "-c", Self.receiver])
    #expect(try receiver.line() == "ready")
    let sender = try host.a.start(["python3", "-c", Self.sender])
    #expect(try sender.line() == "ready")
    // Each waits for the packets under way (the kernel's synchronize_rcu), some 30 ms.
    for swap in 1...100 {
      try Self.replaceRules(with: swap == 90 ? Self.large : Self.closed, &connection)
      try Self.replaceRules(with: Self.open, &connection)
    }
    // A packet is on its way when the sender counts it: the rules in force last have judged some.
    sender.signal(SIGTERM)
    let sent = try #require(Int(sender.result().output.split(separator: "\n").last ?? ""))
    let counts = receiver.result().output.split(separator: "\n").last
    #expect(counts == "0 \(sent)", "sent \(sent) to each; denied and allowed ones that came")
    #expect(sent > 1000, "too few to have met the swaps")
  }

  private static func replaceRules(with lines: String, _ connection: inout ControlConnection) throws {
    // As ipfw(8) sends the lines of a file.
    let words = ["-q", "-f", "--atomic", "--lines"] + lines.split(separator: "\n").map(String.init)
    guard case .result(0, _, _) = try connection.ask(.ipfw(words: words)) else {
      throw ProcessFailure(words: ["ipfw"], result: ProcessResult(status: 1, output: "", errors: lines))
    }
  }
}
