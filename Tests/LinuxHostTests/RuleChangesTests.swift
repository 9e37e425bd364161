import Divert
import DivertEngine
import DivertWire
import Firewall
import Foundation
import Kernel
import Namespaces
import TestSupport
import Testing

@testable import LinuxHost

/// Rules that take long to read and to load, and what goes on meanwhile.
@Suite(.serialized) struct RuleChangesTests {
  private let host: LinuxScenario

  init() throws { host = try LinuxScenario() }

  /// Asks for many rules, and returns at once.
  private func begin(_ connection: borrowing ControlConnection, _ rules: [String]) throws {
    // As ipfw(8) sends the lines of a file.
    let words = ["-q", "--lines"] + rules
    try UnixSocket.send(ControlMessage.ipfw(words: words).bytes, on: connection.descriptor)
  }

  private func hasAnswer(_ connection: borrowing ControlConnection) throws -> Bool {
    try waitForInput(on: connection.descriptor.number, until: .now)
  }

  /// Takes long to read, and not long to load.
  private var many: [String] {
    (1...10_000).flatMap { ["add \($0) count udp from 10.0.0.0/8 to any", "delete \($0)"] }
  }

  @Test func `others are served, in between and not afterwards`() throws {
    let changes = try ControlConnection(path: host.daemon.socket)
    try begin(changes, many + ["add 6000 count ip from any to any"])
    var others = try ControlConnection(path: host.daemon.socket)
    guard case .told = try others.ask(.statistics) else { throw SystemError("statistics", code: EPROTO) }
    let socket = try host.open(port: 2000)
    #expect(try !hasAnswer(changes), "all of that was done before the rules were in force")
    // The next change waits for the one before it, and finds its rules.
    try host.ipfw("add 6001 divert 2000 icmp from any to any in")
    #expect(try hasAnswer(changes))
    #expect(try host.ipfw("list 6000-6001").split(separator: "\n").count == 2)
    socket.close()
  }

  @Test func `rules prepared for interfaces that have changed are prepared anew`() throws {
    let directory = try ScratchDirectory(named: "divert-rules")
    let namespace = try Namespace()
    let second = try Namespace()
    try namespace.entered {
      let host = try LinuxHost(
        RuleSet(default: .allow), settingsFile: "\(directory.path)/state")
      let rules = try RuleFile.load(
        text: "add 100 deny icmp from any to any in via late0\n", into: RuleSet(default: .allow))
      let early = host.preparation(of: rules)
      let prepared = try early.prepare()
      try Namespace.connect(second, "vethL", "203.0.113.1/24", namespace, "late0", "203.0.113.2/24")
      try host.refreshInterfaces()
      #expect(try !host.commit(prepared))
      #expect(host.engine.ruleSet.entries.count == 1, "nothing of it is in force")
      #expect(try !host.commit(early.prepare()), "from what was there then")
      #expect(try second.run(["ping", "-c", "1", "-W", "5", "203.0.113.2"]).status == 0)
      #expect(try host.commit(host.preparation(of: rules).prepare()))
      _ = try second.run(["ping", "-c", "2", "-i", "0.2", "-W", "1", "203.0.113.2"], expecting: 1)
      host.shutDown()
    }
  }

  @Test func `divertd ends while rules are on their way`() throws {
    let changes = try ControlConnection(path: host.daemon.socket)
    try begin(changes, many)
    host.daemon.process.signal(SIGTERM)
    #expect(host.daemon.process.result().status == 0)
    #expect(try host.b.run("ip", "-o", "link").output.contains("divert0") == false)
    #expect(try host.ping("192.0.2.2", count: 1) == 1)
  }
}
