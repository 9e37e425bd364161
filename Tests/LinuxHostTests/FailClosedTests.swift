import Foundation
import Namespaces
import TestSupport
import Testing

/// `divertd --fail-closed`: what is enforced stays so without divertd, and the next one takes it over.
@Suite(.serialized) struct FailClosedTests {
  /// Packets of four flows, of both versions of IP: none that is denied ever passes, and each that is diverted meets
  /// the rule that diverts it once and the ones after it once.
  @Test func `no packet is misjudged while divertd is killed, ended, and started again`() throws {
    let host = try KeptScenario()
    try host.b.run("ip", "addr", "add", "192.0.2.3/24", "dev", "em0")
    try host.b.run("ip", "addr", "add", "2001:db8:1::3/64", "dev", "em0", "nodad")
    var daemon = try host.start()
    for rule in [
      "100 deny ip from any to 192.0.2.3", "101 deny ip from any to 2001:db8:1::3",
      "200 divert 2000 icmp from any to 192.0.2.2 in", "201 divert 2001 ip6 from any to 2001:db8:1::2 in",
      "300 count icmp from any to 192.0.2.2 in", "301 count ip6 from any to 2001:db8:1::2 in",
    ] { try daemon.ipfw("add \(rule)") }
    let programs = try [2000, 2001].map { try host.startTool("pass", "\($0)") }
    let flows = try ["192.0.2.2", "2001:db8:1::2", "192.0.2.3", "2001:db8:1::3"].map {
      try host.a.start(["ping", "-n", "-i", "0.002", $0])
    }
    let lines = try daemon.ipfw("-S list")
    for signal in [SIGKILL, SIGTERM, SIGKILL] {
      for rule in [100, 101, 300, 301] {
        let before = try daemon.packets(countedBy: rule)
        while try daemon.packets(countedBy: rule) < before + 10 {}
      }
      daemon.process.signal(signal)
      daemon.process.result()
      daemon = try host.start()
      #expect(try daemon.ipfw("-S list") == lines)
    }
    let results = flows.map { flow in
      flow.signal(SIGINT)
      return PingResult(flow.result().output)
    }
    #expect(results.allSatisfy { $0.sent > 100 }, "\(results)")
    #expect(results[2].received == 0 && results[3].received == 0)
    for (index, program) in programs.enumerated() {
      program.signal(SIGTERM)
      let end = program.result()
      #expect(end.status == 0, "\(end.errors)")
      let sent = results[index].sent
      #expect(
        end.errors.hasSuffix("read \(sent), written back \(sent), refused 0, lost to a full buffer 0\n"))
      #expect(try daemon.packets(countedBy: 200 + index) == sent)
      #expect(try daemon.packets(countedBy: 300 + index) == sent)
    }
  }
}

private struct PingResult {
  var sent = 0
  var received = 0

  init(_ output: String) {
    // 5 packets transmitted, 3 received, …
    guard let line = output.split(separator: "\n").first(where: { $0.contains("packets transmitted") }) else {
      return
    }
    let numbers = line.split(separator: ",").prefix(2).map {
      $0.split(separator: " ").first.flatMap { Int($0) }
    }
    (sent, received) = (numbers[0] ?? 0, numbers[1] ?? 0)
  }
}

/// Two hosts, the second with a bpf file system of its own, which goes with the test.
private final class KeptScenario {
  let a: Namespace
  let b: Namespace
  private let mounts: LeashedProcess
  private let directory: ScratchDirectory
  /// The directory of their socket goes with the first of them that goes.
  private var daemons: [RunningDaemon] = []

  init() throws {
    (a, b) = (try Namespace(), try Namespace())
    try Namespace.connect(a, "vethA", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    try a.run("ip", "addr", "add", "2001:db8:1::1/64", "dev", "vethA", "nodad")
    try b.run("ip", "addr", "add", "2001:db8:1::2/64", "dev", "em0", "nodad")
    directory = try ScratchDirectory(named: "divert-kept")
    mounts = try LeashedProcess([
      "unshare", "--mount", "sh", "-c", "mount -t bpf bpf /sys/fs/bpf; echo ready; exec sleep 3600",
    ])
    _ = try mounts.line()
  }

  var socket: String { "\(directory.path)/divertd.sock" }

  private var inMounts: [String] { ["nsenter", "--mount=/proc/\(mounts.identifier)/ns/mnt", "--"] }

  func start(_ options: String...) throws -> RunningDaemon {
    let daemon = try RunningDaemon(in: b, ["--fail-closed"] + options, socket: socket, prefix: inMounts)
    daemons.append(daemon)
    return daemon
  }

  func divertd(_ options: String..., expecting status: Int32 = 0) throws -> ProcessResult {
    try b.run(
      inMounts + [Programs.path("divertd"), "--socket", socket] + options, expecting: status)
  }

  func startTool(_ words: String...) throws -> LeashedProcess {
    let process = try b.start([Programs.path("divert")] + words, environment: ["DIVERT_SOCKET": socket])
    _ = try process.errorLine()
    return process
  }

  var pins: [String] {
    get throws {
      try b.run(inMounts + ["find", "/sys/fs/bpf/divert", "-type", "f"], expecting: nil).output
        .split(separator: "\n").map { String($0.split(separator: "/").last ?? "") }.sorted()
    }
  }
}

extension RunningDaemon {
  fileprivate func packets(countedBy rule: Int) throws -> Int {
    Int(try ipfw("show \(rule)").split(separator: " ")[1]) ?? -1
  }
}
