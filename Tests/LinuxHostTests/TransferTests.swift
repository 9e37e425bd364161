import BPF
import Foundation
import Kernel
import Namespaces
import TestSupport
import Testing

/// Real traffic through a passing program: nothing is lost, nothing is changed.
@Suite(.serialized) struct TransferTests {
  static let hundredMegabytes = 100_000_000

  @Test(arguments: [
    ["add 100 divert 2000 tcp from any to any in"], ["add 100 divert 2000 tcp from any to any out"],
    ["add 100 divert 2000 tcp from any to any"],
  ])
  func `100 MB each way arrive as they were sent`(_ rules: [String]) throws {
    let host = try LinuxScenario()
    for rule in rules { try host.ipfw(rule) }
    let program = try host.startTool("pass", "2000")
    try Self.transfer(from: host.a, to: host.b, address: "192.0.2.2")
    try Self.transfer(from: host.b, to: host.a, address: "192.0.2.1")
    #expect(try host.packets(countedBy: 100) > 10_000)
    try host.stop(program)
  }

  @Test func `100 MB each way over IPv6, and forwarded`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 ip6 from any to any")
    let program = try host.startTool("pass", "2000")
    try Self.transfer(from: host.a, to: host.b, address: "2001:db8:1::2")
    try Self.transfer(from: host.b, to: host.a, address: "2001:db8:1::1")
    try Self.transfer(from: host.a, to: host.c, address: "2001:db8:2::2")
    #expect(try host.packets(countedBy: 100) > 40_000)
    try host.stop(program)
  }

  @Test func `100 MB over loopback, diverted in both passes`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 tcp from any to any via lo")
    let program = try host.startTool("pass", "2000")
    try Self.transfer(from: host.b, to: host.b, address: "127.0.0.1")
    try Self.transfer(from: host.b, to: host.b, address: "192.0.2.2")
    #expect(try host.packets(countedBy: 100) > 3_000)
    try host.stop(program)
  }

  static func transfer(
    from source: Namespace, to sink: Namespace, address: String, bytes: Int = hundredMegabytes
  ) throws {
    let bytes = String(bytes)
    let receiver = try sink.start([Programs.path("Traffic"), "tcp-sink", "7001", bytes])
    #expect(try receiver.line() == "ready")
    let sent = try source.run(Programs.path("Traffic"), "tcp-source", address, "7001", bytes).output
    let received = receiver.result().output
    #expect(sent.split(separator: " ")[..<2] == received.split(separator: " ")[..<2], "\(sent) \(received)")
  }

  @Test func `of 250 000 datagrams with 256 on their way none is lost`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 udp from any to me 7002 in")
    let program = try host.startTool("pass", "2000")
    let echo = try host.b.start([Programs.path("Traffic"), "udp-echo", "7002"])
    #expect(try echo.line() == "ready")
    let result = try host.a.run(
      Programs.path("Traffic"), "udp-window", "192.0.2.2", "7002", "250000", "64", "256")
    #expect(result.output == "250000 250000\n")
    #expect(try host.packets(countedBy: 100) == 250_000)
    try host.stop(program)
  }

  @Test func `what no rule diverts is never given to user space`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 udp from any to any 9999")
    let program = try host.startTool("dump", "2000")
    let echo = try host.b.start([Programs.path("Traffic"), "udp-echo", "7002"])
    #expect(try echo.line() == "ready")
    let before = try host.transmitted(on: "divert2000", "divert0")
    try host.a.run(Programs.path("Traffic"), "udp-window", "192.0.2.2", "7002", "20000", "64", "64")
    #expect(try host.transmitted(on: "divert2000", "divert0") == before)
    #expect(try host.packets(countedBy: 100) == 0)
    #expect(try host.packets(countedBy: 65535) >= 40_000)
    try host.stop(program)
  }

  @Test func `what a veth peer writes into a frame skips no rule`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 deny udp from any to any 7002 in")
    let echo = try host.b.start([Programs.path("Traffic"), "udp-echo", "7002"])
    #expect(try echo.line() == "ready")
    // A source address that looks like the header of a packet judged to its end, and everything that a program on the
    // peer's egress can write beside a packet: whatever of it crosses the veth, it has not the secret.
    try host.a.run("ip", "link", "set", "vethA", "address", "02:00:ff:ff:05:01")
    let forgery = try host.a.entered { try Forgery(on: "vethA") }
    let result = try host.a.run(
      [Programs.path("Traffic"), "udp-window", "192.0.2.2", "7002", "100", "64", "10"], expecting: 1)
    #expect(result.output == "10 0\n")
    #expect(try host.packets(countedBy: 100) == 10)
    // Without the forger on its place until here, nothing was tried.
    let stillThere = forgery.isAttached
    #expect(stillThere)
    echo.signal(SIGKILL)
  }
}

/// Fills mark, priority, tc_index and cb of all packets that leave by an interface.
private struct Forgery: ~Copyable {
  private let link: Link
  var isAttached: Bool { link.descriptor.number >= 0 }

  init(on interface: String) throws {
    var program = Assembler()
    program.move32(.r2, .max)
    // Offsets in struct __sk_buff: mark, tc_index, cb[0]...cb[4].
    for offset in [8, 44, 48, 52, 56, 60, 64] { program.store(.word, .r2, to: .r1, offset) }
    program.move(.r0, -1)
    program.exit()
    link = try Link(Program("forgery", program.finish()), to: if_nametoindex(interface), .egress)
  }
}

extension LinuxScenario {
  /// Starts the `divert` tool in B, and returns when it has its port.
  func startTool(_ words: String...) throws -> LeashedProcess {
    let process = try b.start([Programs.path("divert")] + words, environment: daemon.environment)
    let line = try process.errorLine()
    guard line == "divert: listening on divert port \(words[1])" else {
      throw ProcessFailure(words: words, result: ProcessResult(status: 1, output: "", errors: line))
    }
    return process
  }

  func stop(_ process: LeashedProcess) throws {
    process.signal(SIGTERM)
    let result = process.result()
    #expect(result.status == 0, "\(result.errors)")
  }

  /// What was sent to devices of B, in packets: what user space may have seen.
  func transmitted(on devices: String...) throws -> Int {
    try devices.reduce(0) { sum, device in
      let text = try ["tx_packets", "tx_dropped"].map { counter in
        try b.run("cat", "/proc/self/net/dev").output
          .split(separator: "\n").first { $0.contains("\(device):") }
          .map { $0.split(separator: " ")[counter == "tx_packets" ? 10 : 12] } ?? "0"
      }
      return sum + text.reduce(0) { $0 + (Int($1) ?? 0) }
    }
  }
}
