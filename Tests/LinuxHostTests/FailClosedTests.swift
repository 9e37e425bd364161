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
      try host.a.start(["ping", "-n", "-q", "-i", "0.002", $0])
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

  @Test func `rules, counts, sockets and settings are as they were when the next divertd has taken over`()
    throws
  {
    let host = try KeptScenario()
    let before = try host.state()
    var daemon = try host.start("--default", "deny")
    for command in [
      "add 100 deny icmp from any to any in icmptypes 13 // no timestamps",
      "add 200 set 5 divert 2000 icmp from any to any in icmptypes 8",
      "add 250 set 6 deny ip from any to any",
      "set disable 6", "add 300 allow { udp or icmp or ip6 } from any to any",
    ] { try daemon.ipfw(command) }
    try host.b.run([Programs.path("divert"), "policy", "3000", "pass"], environment: daemon.environment)
    let program = try host.startTool("pass", "2000")
    #expect(try host.pings(size: 56) == 3)
    #expect(try host.pings(size: 3000) == 3, "judged in user space")
    let shown = try daemon.ipfw("-S show")
    let settled = try host.state()
    #expect(settled != before)

    daemon.process.signal(SIGKILL)
    daemon.process.result()
    #expect(try host.state() == settled)
    #expect(try host.pings(size: 3000) == 0, "what divertd would have to judge is dropped")
    let plain = try host.divertd("--foreground", expecting: 69)
    #expect(plain.errors.contains("`divertd --stop`"), "\(plain.errors)")
    let rules = host.file("rules", "add 100 alow ip from any to any\n")
    try host.divertd("--foreground", "--fail-closed", "--rules", rules, expecting: 65)
    #expect(try host.state() == settled, "a start that fails changes nothing")

    daemon = try host.start()
    let after = try daemon.ipfw("-S show")
    #expect(
      after.split(separator: "\n").map { $0.split(separator: " ").dropFirst(3) }
        == shown.split(separator: "\n").map { $0.split(separator: " ").dropFirst(3) })
    #expect(try daemon.packets(countedBy: 200) == 3, "what hooks have counted, not divertd itself")
    #expect(try host.pings(size: 3000) == 3)
    #expect(try daemon.packets(countedBy: 200) == 6)
    let stat = try host.b.run([Programs.path("divert"), "stat"], environment: daemon.environment).output
    #expect(stat.contains("divert (\(program.identifier))"), "\(stat)")
    #expect(stat.contains("\n3000  pass"), "\(stat)")
    #expect(stat.contains("stay in force when divertd ends"), "\(stat)")

    // Ended, it leaves what it has counted itself, too.
    let counted = try daemon.ipfw("-S show 100 200")
    daemon.process.signal(SIGTERM)
    #expect(
      daemon.process.result().errors == "divertd: the rules stay in force; `divertd --stop` ends them\n")
    daemon = try host.start()
    #expect(try daemon.ipfw("-S show 100 200") == counted)
    // Rules of a file take the place of those in force; what is the same goes on being counted.
    daemon.process.signal(SIGTERM)
    daemon.process.result()
    let others = host.file("rules", "add 100 deny icmp from any to any in icmptypes 13 // no timestamps\n")
    daemon = try host.start("--rules", others)
    #expect(try daemon.ipfw("list").hasSuffix("65535 allow ip from any to any\n"))

    try host.divertd("--stop")
    #expect(daemon.process.result().status == 0)
    #expect(try host.state() == before)
    #expect(try host.pins == [])
    #expect(try host.divertd("--stop").errors == "divertd: nothing to stop\n")
    #expect(program.result().errors.contains("Network is down"))
  }

  @Test func `what has changed meanwhile: interfaces, ports, and the maps of another version`() throws {
    let host = try KeptScenario()
    let before = try host.state()
    var daemon = try host.start()
    try daemon.ipfw("add 100 divert 2000 icmp from any to any in")
    try daemon.ipfw("add 200 divert 2001 ip6 from any to any in")
    let programs = try [host.startTool("pass", "2000"), host.startTool("pass", "2001")]
    #expect(try host.pings(size: 56) == 3)
    daemon.process.signal(SIGKILL)
    daemon.process.result()

    // A program that ends, and an interface that is replaced.
    programs[1].signal(SIGKILL)
    programs[1].result()
    try host.b.run("ip", "link", "del", "em0")
    try host.connect()
    try host.unpin("divert_ports", "divert_sockets", "divert_events", "divert_counters")
    daemon = try host.start()
    #expect(try host.pings(size: 56) == 3, "the socket of the first program still has its port")
    #expect(try daemon.packets(countedBy: 100) == 3)
    #expect(try !host.b.run("ip", "-o", "link").output.contains("divert2001"))
    let indexes = Set(
      try host.b.run("ip", "-o", "link").output.split(separator: "\n").map { $0.prefix { $0 != ":" } })
    let pinned = try host.pins.filter { $0.hasPrefix("in-") || $0.hasPrefix("out-") }
    #expect(!pinned.isEmpty && pinned.allSatisfy { indexes.contains($0.drop { $0 != "-" }.dropFirst()) })
    let again = try host.startTool("pass", "2001")
    again.signal(SIGTERM)
    #expect(again.result().status == 0)

    // What a dead one has left is ended the same way; and so it is at the end of the time that divertd was given.
    daemon.process.signal(SIGKILL)
    daemon.process.result()
    try host.divertd("--stop")
    #expect(try host.state() == before && host.pins == [])
    daemon = try host.start("--for", "1")
    #expect(daemon.process.result().status == 0)
    #expect(try host.state() == before && host.pins == [])
  }

  @Test func `what is left of a network namespace that is gone is removed`() throws {
    let host = try KeptScenario()
    try host.leaveNamespace()
    // The kernel takes a namespace down in its own time.
    var left = 2
    while left > 1 {
      let next = try host.start()
      left = try host.directories
      next.process.signal(SIGTERM)
      next.process.result()
    }
    try host.divertd("--stop")
    #expect(try host.directories == 0)
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
    directory = try ScratchDirectory(named: "divert-kept")
    mounts = try LeashedProcess([
      "unshare", "--mount", "sh", "-c", "mount -t bpf bpf /sys/fs/bpf; echo ready; exec sleep 3600",
    ])
    _ = try mounts.line()
    try connect()
  }

  func connect() throws {
    try Namespace.connect(a, "vethA", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    try a.run("ip", "addr", "add", "2001:db8:1::1/64", "dev", "vethA", "nodad")
    try b.run("ip", "addr", "add", "2001:db8:1::2/64", "dev", "em0", "nodad")
  }

  var socket: String { "\(directory.path)/divertd.sock" }

  private var inMounts: [String] { ["nsenter", "--mount=/proc/\(mounts.identifier)/ns/mnt", "--"] }

  /// Makes a network namespace that is gone when this returns, with a divertd that was killed before.
  func leaveNamespace() throws {
    let daemon = try RunningDaemon(
      in: Namespace(), ["--fail-closed"], socket: "\(directory.path)/other/divertd.sock", prefix: inMounts)
    #expect(try directories == 1)
    daemon.process.signal(SIGKILL)
    daemon.process.result()
  }

  func start(_ options: String...) throws -> RunningDaemon {
    let daemon = try RunningDaemon(
      in: b, ["--fail-closed"] + options, socket: socket, prefix: inMounts)
    daemons.append(daemon)
    return daemon
  }

  @discardableResult
  func divertd(_ options: String..., expecting status: Int32 = 0) throws -> ProcessResult {
    try b.run(
      inMounts + [Programs.path("divertd"), "--socket", socket] + options, expecting: status)
  }

  func startTool(_ words: String...) throws -> LeashedProcess {
    let process = try b.start([Programs.path("divert")] + words, environment: ["DIVERT_SOCKET": socket])
    _ = try process.errorLine()
    return process
  }

  func file(_ name: String, _ text: String) -> String {
    let path = "\(directory.path)/\(name)"
    #expect(FileManager.default.createFile(atPath: path, contents: Data(text.utf8)))
    return path
  }

  /// How many of three are answered.
  func pings(size: Int) throws -> Int {
    let ping = try a.run(
      ["ping", "-n", "-c", "3", "-i", "0.05", "-W", "1", "-s", "\(size)", "192.0.2.2"], expecting: nil)
    return PingResult(ping.output).received
  }

  /// Links with their MTUs, and settings; not what traffic and time change.
  func state() throws -> String {
    try b.run(
      "sh", "-c",
      "ip -o link | awk '{ sub(/@.*/, \"\", $2); print $2, $5 }'; cat /proc/sys/net/ipv[46]/conf/lo/forwarding"
    )
    .output
  }

  func unpin(_ names: String...) throws {
    try b.run(inMounts + ["sh", "-c", "cd /sys/fs/bpf/divert/*; rm " + names.joined(separator: " ")])
  }

  /// For how many network namespaces something is pinned.
  var directories: Int {
    get throws {
      try b.run(inMounts + ["ls", "/sys/fs/bpf/divert"], expecting: nil).output.split(separator: "\n").count
    }
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
