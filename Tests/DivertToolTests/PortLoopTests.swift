import ArgumentParser
import Divert
import Glibc
import SimulatedHost
import Testing

@testable import DivertTool

@Suite(.serialized)
struct PortLoopTests {
  let host = SimulatedHost()

  init() throws {
    try host.addInterface("em0", "192.0.2.2/24")
    try host.ipfw("add 100 divert 2000 icmp from any to any in")
  }

  private func receive(_ count: Int) throws {
    for sequence in 0..<count {
      try host.receive(
        SimulatedPacket.echoRequest(
          from: "192.0.2.1", to: "192.0.2.2", sequence: UInt16(sequence)), on: "em0")
    }
  }

  private func loop(count: UInt64? = nil, timeout: Duration? = nil) throws -> PortLoop {
    try PortLoop(DivertSocket(port: 2000, on: host), count: count, timeout: timeout)
  }

  @Test func `it ends after as many packets as it was told`() throws {
    var loop = try loop(count: 100)
    let writer = loop.writer
    try receive(70)
    var passed = 0
    while passed < 70, let batch = try loop.next() { passed += writer.reinject(batch).written }
    try receive(40)
    while let batch = try loop.next() { passed += writer.reinject(batch).written }
    #expect(passed == 110, "a batch is passed whole")
    #expect(host.transmitted(on: "em0").count == 110)
    #expect(loop.statistics.line == "read 110, written back 110, refused 0, lost to a full buffer 0")
  }

  @Test func `it ends when the time is over`() throws {
    var loop = try loop(timeout: .milliseconds(1))
    let isOver = try loop.next() == nil
    #expect(isOver)
  }

  @Test func `a signal ends it, packets or not`() throws {
    var loop = try loop()
    try receive(3)
    // Blocked for this thread since the loop began, so it waits for whoever reads it.
    pthread_kill(pthread_self(), SIGTERM)
    let isOver = try loop.next() == nil
    #expect(isOver)
  }

  @Test func `who writes back reads first what was diverted by then`() throws {
    for count in [nil, 1] as [UInt64?] {
      var loop = try PortLoop(DivertSocket(port: 2000, on: host), count: count, timeout: nil, drains: true)
      let writer = loop.writer
      try receive(70)
      if count == nil { pthread_kill(pthread_self(), SIGTERM) }
      var passed = 0
      while let batch = try loop.next() { passed += writer.reinject(batch).written }
      #expect(passed == 70)
      try receive(1)
      let isOver = try loop.next() == nil
      #expect(isOver, "the port is nobody's any more")
    }
  }

  @Test func `dump prints a line for each packet, and writes back if it is told`() throws {
    for pass in [false, true] {
      var loop = try loop(count: 2)
      try receive(2)
      var lines = ""
      try DumpCommand.dump(&loop, pass: pass) { lines += $0 }
      #expect(
        lines == """
          in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 0, length 8
          in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id 1, seq 1, length 8

          """)
      #expect(host.transmitted(on: "em0").count == (pass ? 2 : 0))
    }
  }

  @Test func `the exit status`() {
    let statuses: [(CInt, CInt)] = [
      (ENOENT, 69), (ECONNREFUSED, 69), (ENETDOWN, 69), (EPERM, 77), (EACCES, 77), (EADDRINUSE, 71),
    ]
    for (code, status) in statuses { #expect(SystemError("test", code: code).exitStatus == status) }
  }

  @Test func `wrong usage is 64`() {
    for words in [["pass"], ["pass", "70000"], ["pass", "1", "--count", "0"], ["nosuch"]] {
      let error = #expect(throws: (any Error).self) { _ = try DivertTool.parseAsRoot(words) }
      #expect(error.map { DivertTool.exitCode(for: $0).rawValue } == 64, "\(words)")
    }
  }
}
