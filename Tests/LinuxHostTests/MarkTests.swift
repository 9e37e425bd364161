import Divert
import Glibc
import Namespaces
import Synchronization
import TestSupport
import Testing

/// Marks, where the kernel goes by them.
@Suite(.serialized) struct MarkTests {
  @Test func `a marked packet goes where ip-rule(8) sends its mark`() throws {
    let host = try LinuxScenario()
    try host.b.run("ip", "rule", "add", "fwmark", "7", "lookup", "100")
    try host.b.run("ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.2", "table", "100")
    try host.ipfw("add 100 count udp from any to 203.0.113.9 out xmit em1")
    try host.b.entered {
      let socket = try host.open(port: 2000)
      let packet = try Sample.udp("192.0.2.1", 1, "203.0.113.9", 2)
      var address = DivertAddress.outgoing()
      address.mark = 7
      try socket.writer.reinject(packet, as: address)
      #expect(try host.packets(countedBy: 100) == 1)
      address.mark = 8
      for address in [address, .outgoing()] {
        let error = #expect(throws: SystemError.self) { try socket.writer.reinject(packet, as: address) }
        #expect(error?.code == EHOSTUNREACH)
      }
      socket.close()
    }
  }

  @Test func `every segment of a stream tells its owner and its mark`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 tcp from any to any 7001 out")
    let (told, untold) = (Counter(), Counter())
    let socket = try host.b.entered { try host.open(port: 2000, options: [.mark, .owner]) }
    let program = InPlaceProgram(socket) { packet in
      // More than headers: what a super-packet was cut to.
      guard packet.bytes.byteCount > 100 else { return }
      if packet.owner == 4242, packet.mark == 7 { told.count() } else { untold.count() }
    }
    program.start()
    let sink = try host.a.start([Programs.path("Traffic"), "tcp-sink", "7001", "10000000"])
    #expect(try sink.line() == "ready")
    try host.b.run(
      "python3", "-c",
      """
      import os, socket
      os.seteuid(4242)
      s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
      os.seteuid(0)
      s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
      s.connect(("192.0.2.1", 7001))
      s.sendall(bytes(10_000_000))
      s.shutdown(socket.SHUT_WR)
      s.recv(1)
      """)
    #expect(sink.result().status == 0)
    let statistics = program.stop()
    #expect(statistics.refused == 0 && statistics.droppedFull == 0)
    #expect(told.value >= 10_000_000 / 1448 && untold.value == 0)
  }

  @Test func `a copy that tells its owner leaves the original its priority`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 tee 2000 udp from any to any 4000 out")
    try host.b.entered {
      let copies = try host.program(on: 2000, options: .owner) { _ in [] }
      // 82 is SO_RCVPRIORITY: over loopback a packet keeps its priority.
      let told = try host.b.run(
        "python3", "-c",
        """
        import os, socket
        r = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        r.bind(("127.0.0.1", 4000))
        r.setsockopt(socket.SOL_SOCKET, 82, 1)
        os.seteuid(4242)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 5)
        s.sendto(b"x", ("127.0.0.1", 4000))
        for level, kind, data in r.recvmsg(10, 100)[1]: print(kind, int.from_bytes(data, "little"))
        """)
      #expect(told.output == "12 5\n")
      try copies.step(wait: .seconds(5))
      #expect(copies.seen.map(\.owner) == [4242])
    }
  }
}

private final class Counter: Sendable {
  private let number = Atomic(0)

  func count() { number.wrappingAdd(1, ordering: .relaxed) }

  var value: Int { number.load(ordering: .relaxed) }
}
