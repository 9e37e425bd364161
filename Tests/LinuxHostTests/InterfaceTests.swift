import Divert
import DivertWire
import Foundation
import Namespaces
import TestSupport
import Testing

/// Which interfaces have the rules, and from when on.
@Suite(.serialized) struct InterfaceTests {
  @Test func `an interface that is replaced by its like gets hooks`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 deny ip from any to 203.0.113.2 in")
    // divertd sleeps while an interface makes place for another of the same index, name and address: it sees no
    // difference but that its hook is gone.
    let commands = """
      link add late0 address 02:00:00:00:00:09 index 777 type veth peer name vethL netns \(host.a.path.split(separator: "/")[1])
      addr add 203.0.113.2/24 dev late0
      link set late0 up
      """
    try host.b.batch(commands)
    for _ in 0..<2 {
      host.daemon.process.signal(SIGSTOP)
      try host.b.run("ip", "link", "del", "late0")
      try host.b.batch(commands)
      host.daemon.process.signal(SIGCONT)
      try host.a.run("ip", "addr", "add", "203.0.113.1/24", "dev", "vethL")
      try host.a.run("ip", "link", "set", "vethL", "up")
      // A request that divertd answers comes behind what it has been told of the interfaces.
      try host.ipfw("list")
      #expect(try !host.pingOnce("203.0.113.2"))
    }
    #expect(try host.packets(countedBy: 100) == 2)
  }

  @Test func `an interface whose hooks cannot be attached is shown, and has them as soon as they can`() throws
  {
    let host = try LinuxScenario()
    try host.ipfw("add 100 deny icmp from any to any in")
    // A connection that is there already, and with one descriptor for each request: none is left for it to be opened.
    var control = try ControlConnection(path: host.daemon.socket)
    #expect(try control.unruled() == [])
    let limit = { (number: Int) in
      _ = try host.b.run("prlimit", "--pid", "\(host.daemon.process.identifier)", "--nofile=\(number):20000")
    }
    // Room for the hook of one direction only.
    try limit(host.daemon.freeDescriptor() + 1)
    try Namespace.connect(host.a, "vethL", "203.0.113.1/24", host.b, "late0", "203.0.113.2/24")
    let complaint = try host.daemon.process.errorLine()
    #expect(complaint.hasPrefix("divertd: no rules on late0: attach a hook to interface"), "\(complaint)")
    #expect(complaint.contains("Too many open files"))
    #expect(try control.unruled().map(\.name) == ["late0"])
    try limit(20_000)
    // Nothing was logged meanwhile, though it was tried again.
    #expect(try host.daemon.process.errorLine() == "divertd: the rules are in force on late0 now")
    #expect(try !host.pingOnce("203.0.113.2"))
    #expect(try host.packets(countedBy: 100) == 1)
    #expect(try control.unruled() == [])
  }

  @Test
  func
    `rules that speak of a new interface are in force on it from its first packet on that divertd knows it`()
    throws
  {
    let host = try LinuxScenario()
    // So many that putting them in force takes a while.
    let rules = (0..<300).map { "add \(1000 + $0) count tcp from 10.0.0.0/8 to any \($0 + 1)" }
    let file = URL(fileURLWithPath: host.daemon.socket).deletingLastPathComponent().appending(path: "rules")
    try rules.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
    try host.ipfw("--atomic -q \(file.path)")
    try host.ipfw("add 100 deny icmp from any to any in via late*")
    try host.ipfw("add 200 count icmp from any to any")
    try Namespace.connect(host.a, "vethL", "203.0.113.1/24", host.b, "late0", "203.0.113.2/24")
    try host.ipfw("list 100")
    #expect(try !host.pingOnce("203.0.113.2"))
    #expect(try host.packets(countedBy: 100) == 1)
    try host.b.run("ip", "link", "set", "late0", "down")
    try host.b.run("ip", "link", "set", "late0", "name", "other0")
    try host.b.run("ip", "link", "set", "other0", "up")
    try host.ipfw("list 100")
    #expect(try host.pingOnce("203.0.113.2"))
    #expect(try host.packets(countedBy: 100) == 1)
  }

  @Test(arguments: ["ingress", "egress"])
  func `a shaper that sends packets through an ifb has each of them judged once`(_ side: String) throws {
    let host = try LinuxScenario()
    try host.b.run("ip", "link", "add", "ifb9", "type", "ifb")
    try host.b.run("ip", "link", "set", "ifb9", "up")
    try host.b.run("tc", "qdisc", "add", "dev", "em0", "clsact")
    try host.b.run([
      "tc", "filter", "add", "dev", "em0", side, "protocol", "all", "u32", "match", "u32", "0", "0", "action",
      "mirred", "egress", "redirect", "dev", "ifb9",
    ])
    let there: [UInt16] = [100, 110]
    let back: [UInt16] = [101, 111]
    let addresses = ["198.51.100.2", "2001:db8:2::2"]
    for (index, address) in addresses.enumerated() {
      try host.ipfw("add \(there[index]) count ip from any to \(address) in")
      try host.ipfw("add \(back[index]) count ip from \(address) to any out")
    }
    func expect(_ count: UInt64) throws {
      for (index, address) in addresses.enumerated() {
        #expect(try host.ping(address, count: 3) == 3)
        #expect(try host.packets(countedBy: there[index]) == count)
        #expect(try host.packets(countedBy: back[index]) == count)
      }
    }
    try expect(3)
    try host.ipfw("add 200 divert 2000 ip from any to any")
    let tool = try host.startTool("pass", "2000")
    try expect(6)
    try host.stop(tool)
    let devices = try host.b.run("cat", "/proc/net/dev").output.split(separator: "\n")
    let counts = try #require(devices.first { $0.contains("ifb9:") }).split(separator: " ")
    #expect(try #require(UInt64(counts[10])) >= 12, "sent by the ifb")
  }

  @Test func `what a macvlan device sends and receives is judged on it, once`() throws {
    let host = try LinuxScenario()
    // Only the interface that has an address answers for it.
    try host.b.run("sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=1")
    try host.b.run("ip", "link", "add", "mv0", "link", "em0", "type", "macvlan", "mode", "bridge")
    try host.b.run("ip", "addr", "add", "203.0.113.2/24", "dev", "mv0")
    try host.b.run("ip", "addr", "add", "2001:db8:9::2/64", "dev", "mv0", "nodad")
    try host.b.run("ip", "link", "set", "mv0", "up")
    try host.a.run("ip", "addr", "add", "203.0.113.1/24", "dev", "vethA")
    try host.a.run("ip", "addr", "add", "2001:db8:9::1/64", "dev", "vethA", "nodad")
    let addresses = ["203.0.113.2", "2001:db8:9::2"]
    for (rule, address) in zip([100, 110], addresses) {
      try host.ipfw("add \(rule) count ip from any to \(address) in recv mv0")
      try host.ipfw("add \(rule + 1) count ip from \(address) to any out xmit mv0")
    }
    try host.ipfw("add 120 count icmp from any to any via em0")
    try host.ipfw("add 200 divert 2000 ip from any to any")
    let tool = try host.startTool("pass", "2000")
    for (rule, address) in zip([100, 110] as [UInt16], addresses) {
      #expect(try host.ping(address, count: 3) == 3)
      #expect(try host.packets(countedBy: rule) >= 3)
      #expect(try host.packets(countedBy: rule + 1) >= 3)
    }
    #expect(try host.packets(countedBy: 120) == 0)
    try host.stop(tool)
  }
}

extension LinuxScenario {
  /// Whether one echo request is answered. What the rules count says that it was judged; waiting for an answer that does
  /// not come is short.
  func pingOnce(_ address: String) throws -> Bool {
    try a.run("ping", "-n", "-c", "1", "-W", "0.5", address, expecting: nil).status == 0
  }
}

extension ControlConnection {
  fileprivate mutating func unruled() throws -> [UnruledInterface] {
    guard case .told(let statistics) = try ask(.statistics) else {
      throw ProcessFailure(
        words: ["statistics"], result: ProcessResult(status: 1, output: "", errors: "another answer"))
    }
    return statistics.unruled
  }
}

extension Namespace {
  /// Several commands of ip(8), one after the other without a pause.
  func batch(_ commands: String) throws {
    try run("sh", "-c", "printf '%s\\n' \"$1\" | ip -batch -", "sh", commands)
  }
}

extension RunningDaemon {
  /// The number that its next descriptor would have.
  fileprivate func freeDescriptor() throws -> Int {
    let used = Set(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.identifier)/fd"))
    return (0...).first { !used.contains("\($0)") } ?? 0
  }
}
