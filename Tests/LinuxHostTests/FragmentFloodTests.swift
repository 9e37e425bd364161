import Foundation
import Namespaces
import TestSupport
import Testing

/// Fragments whose others never come, and what they cost.
@Suite(.serialized) struct FragmentFloodTests {
  @Test(arguments: ["192.0.2.2", "2001:db8:1::2"])
  func `200 000 first fragments cost divertd some memory, and others nothing`(_ address: String) throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 udp from any to any in")
    let program = try host.startTool("pass", "2000")
    let before = try host.residentKilobytes
    let flood = try host.a.start([Programs.path("Traffic"), "fragment-flood", address, "200000"])
    try TransferTests.transfer(from: host.a, to: host.b, address: address, bytes: 10_000_000)
    let result = flood.result()
    #expect(result.output == "200000\n", "\(result.errors)")
    #expect(try host.ping(address, count: 3) == 3)
    let after = try host.residentKilobytes
    // A queue of 8 MiB, whose fragments are kept in memory of their own each, and a receive buffer.
    #expect(after - before < 40_000, "\(before) kB, then \(after) kB")
    let reached = try host.packets(countedBy: 100)
    #expect(reached > 1000, "of 200 000 fragments \(reached) came so far")
    let told = try host.b.run([Programs.path("divert"), "stat"], environment: host.daemon.environment).output
    let evicted = told.split(separator: "evicted ").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
    #expect(evicted > 10_000, "of those that came, most have had to make room: \(told)")
    // A datagram in fragments, amid what is left of the flood.
    #expect(try host.ping(address, count: 2, size: 20_000) == 2)
    try host.stop(program)
  }
}

extension LinuxScenario {
  /// The largest that divertd has been.
  fileprivate var residentKilobytes: Int {
    get throws {
      let status = try String(contentsOfFile: "/proc/\(daemon.process.identifier)/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
      return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }
  }
}
