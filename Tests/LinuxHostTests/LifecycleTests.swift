import Divert
import Foundation
import Namespaces
import TestSupport
import Testing

/// Beginnings and ends: of programs, of divertd, of interfaces.
@Suite(.serialized) struct LifecycleTests {
  private let diverting = "add 100 divert 2000 icmp from any to any in icmptypes 8"

  @Test func `a killed program's packets drop and are counted, and its port is free at once`() throws {
    let host = try LinuxScenario()
    try host.ipfw(diverting)
    let program = try host.startTool("pass", "2000")
    #expect(try host.ping("192.0.2.2", count: 3) == 3)
    program.signal(SIGKILL)
    program.result()
    #expect(try host.ping("192.0.2.2", count: 3) == 0)
    #expect(try host.packets(countedBy: 100) == 6)
    let second = try host.startTool("pass", "2000")
    #expect(try host.ping("192.0.2.2", count: 3) == 3)
    try host.stop(second)
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func `a program that is told to end writes back first what was diverted to it`(_ signal: CInt) throws {
    let host = try LinuxScenario()
    try host.ipfw(diverting)
    try host.ipfw("add 200 count icmp from any to any in icmptypes 8")
    let program = try host.startTool("pass", "2000")
    // Asleep, it lets packets wait; SIGCONT wakes it to find signal and packets.
    program.signal(SIGSTOP)
    #expect(try host.ping("192.0.2.2", count: 50) == 0)
    program.signal(signal)
    program.signal(SIGCONT)
    let result = program.result()
    #expect(result.status == 0)
    #expect(
      result.errors.hasSuffix("read 50, written back 50, refused 0, lost to a full buffer 0\n"),
      "\(result.errors)")
    #expect(try host.packets(countedBy: 200) == 50)
    #expect(try host.b.run("ip", "-o", "link").output.contains("divert2000") == false)
  }

  @Test func `a task that waits hears that the port was released`() async throws {
    let host = try LinuxScenario()
    let daemon = DivertDaemon(path: host.daemon.socket)
    for _ in 0..<3 {
      let (bindings, opened) = AsyncStream.makeStream(of: PortBinding.self)
      let count = Task {
        let socket = try DivertSocket(port: 2000, on: daemon)
        opened.yield(socket.binding)
        var count = 0
        for try await _ in socket.packets() { count += 1 }
        return count
      }
      for await binding in bindings {
        try binding.release()
        break
      }
      #expect(try await count.value == 0)
    }
  }

  @Test func `divertd ended by SIGTERM leaves no trace`() throws {
    let (a, b) = try pair()
    let before = try state(of: b)
    let daemon = try RunningDaemon(in: b)
    try daemon.ipfw("add 100 deny icmp from any to any")
    try daemon.ipfw("add 200 divert 2000 ip from any to any")
    #expect(try state(of: b) != before, "links, a sysctl and an MTU")
    #expect(!answers(a))
    daemon.process.signal(SIGTERM)
    #expect(daemon.process.result().status == 0)
    #expect(try state(of: b) == before)
    #expect(answers(a))
    #expect(!FileManager.default.fileExists(atPath: daemon.socket))
  }

  @Test func `after kill -9 of divertd traffic flows, and the next start leaves nothing behind`() throws {
    let (a, b) = try pair()
    let before = try state(of: b)
    let daemon = try RunningDaemon(in: b)
    try daemon.ipfw("add 100 divert 2000 icmp from any to any")
    #expect(!answers(a))
    daemon.process.signal(SIGKILL)
    daemon.process.result()
    #expect(answers(a))
    let links = try b.run("ip", "-o", "link").output
    #expect(!links.contains("divert"), "\(links)")
    let next = try RunningDaemon(in: b, socket: daemon.socket)
    #expect(answers(a), "no rules any more")
    next.process.signal(SIGTERM)
    #expect(next.process.result().status == 0)
    #expect(try state(of: b) == before, "what the killed one had changed is put back")
  }

  @Test func `an interface that appears later is hooked, and one that goes is forgotten`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 deny icmp from any to any in via late*")
    try Namespace.connect(host.a, "vethL", "203.0.113.1/24", host.b, "late0", "203.0.113.2/24")
    // divertd hears of it over netlink; the first ping that fails shows that it has.
    var tries = 0
    while try host.ping("203.0.113.2", count: 1) == 1, tries < 100 { tries += 1 }
    #expect(tries < 100)
    #expect(try host.ping("192.0.2.2", count: 1) == 1)
    try host.b.run("ip", "link", "del", "late0")
    try host.ipfw("add 200 count ip from any to any")
    #expect(try host.ping("192.0.2.2", count: 1) == 1)
  }

  @Test func `a device without link-layer header diverts like any other`() throws {
    let host = try LinuxScenario()
    // A tunnel over UDP, made of two tun devices.
    let ends = [
      try host.a.start([
        "socat", "UDP-DATAGRAM:192.0.2.2:7100,bind=192.0.2.1:7100",
        "TUN:10.9.0.1/24,tun-name=tunA,iff-no-pi,up",
      ]),
      try host.b.start([
        "socat", "UDP-DATAGRAM:192.0.2.1:7100,bind=192.0.2.2:7100",
        "TUN:10.9.0.2/24,tun-name=tunB,iff-no-pi,up",
      ]),
    ]
    defer { for end in ends { end.signal(SIGKILL) } }
    var tries = 0
    while try host.ping("10.9.0.2", count: 1) == 0, tries < 20 { tries += 1 }
    try host.ipfw("add 100 divert 2000 icmp from any to any via tunB")
    let program = try host.program(on: 2000)
    #expect(try host.ping("10.9.0.2", count: 3, programs: [program]) == 3)
    #expect(
      program.seen.map(\.address.direction) == [
        .incoming, .outgoing, .incoming, .outgoing, .incoming, .outgoing,
      ])
    // Room for a frame header cannot be made and taken back there: tee's copies are made in user space.
    try host.ipfw("delete 100")
    try host.ipfw("add 100 count icmp from any to any via tunB")
    try host.ipfw("add 100 tee 2001 icmp from any to any via tunB")
    let copies = try host.program(on: 2001) { _ in [] }
    #expect(try host.ping("10.9.0.2", count: 3) == 3)
    while try copies.step(wait: .milliseconds(100)) > 0 {}
    #expect(copies.seen.map(\.isTee) == Array(repeating: true, count: 6))
    #expect(try host.packets(countedBy: 100) == 12, "each of the two rules has seen each packet once")
  }

  @Test func `SIGHUP reads the rules again, all or nothing`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(
      path: "divert-rules-\(UUID().uuidString)")
    try "add 100 count icmp from any to any\n".write(to: directory, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: directory) }
    let host = try LinuxScenario(["--rules", directory.path, "--default", "deny"])
    #expect(try host.ipfw("list") == "00100 count icmp from any to any\n65535 deny ip from any to any\n")
    try "add 200 allow ip from any to any\nadd 300 alow ip from any to any\n"
      .write(to: directory, atomically: true, encoding: .utf8)
    host.daemon.process.signal(SIGHUP)
    let complaint = try host.daemon.process.errorLine()
    #expect(complaint.contains("Line 2") && complaint.contains("alow"), "\(complaint)")
    #expect(try host.ipfw("list") == "00100 count icmp from any to any\n65535 deny ip from any to any\n")
    try "add 200 allow ip from any to any\n".write(to: directory, atomically: true, encoding: .utf8)
    host.daemon.process.signal(SIGHUP)
    var listing = ""
    for _ in 0..<1000 where !listing.hasPrefix("00200") { listing = try host.ipfw("list") }
    #expect(listing == "00200 allow ip from any to any\n65535 deny ip from any to any\n")
    #expect(try host.ping("192.0.2.2", count: 1) == 1)
  }

  @Test func `divertd in the background returns when it is ready, and ends by itself`() throws {
    let (a, b) = try pair()
    let directory = FileManager.default.temporaryDirectory.appending(path: "divert-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let environment = ["DIVERT_SOCKET": directory.appending(path: "d.sock").path]
    let before = try state(of: b)
    try b.run([Programs.path("divertd"), "--for", "2", "--default", "deny"], environment: environment)
    #expect(
      try b.run([Programs.path("ipfw"), "list"], environment: environment).output
        == "65535 deny ip from any to any\n")
    #expect(!answers(a))
    // The link goes with the daemon: the monitor's line is the event to wait for.
    let monitor = try b.start(["ip", "monitor", "link"])
    if try b.run("ip", "-o", "link").output.contains("divert0") {
      while try !monitor.line().hasPrefix("Deleted") {}
    }
    #expect(answers(a))
    #expect(
      try b.run([Programs.path("ipfw"), "list"], environment: environment, expecting: 69).output.isEmpty)
    #expect(try state(of: b) == before)
  }

  // MARK: Two hosts without divertd

  private func pair() throws -> (Namespace, Namespace) {
    let (a, b) = (try Namespace(), try Namespace())
    try Namespace.connect(a, "vethA", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    return (a, b)
  }

  private func answers(_ a: Namespace) -> Bool {
    (try? a.run(["ping", "-c", "1", "-W", "1", "192.0.2.2"], expecting: nil).status) == 0
  }

  /// Links with their MTUs, and settings; not what traffic and time change.
  private func state(of namespace: Namespace) throws -> String {
    let links = try namespace.run("sh", "-c", "ip -o link | awk '{ print $1, $2, $5 }'").output
    let settings = try namespace.run("sh", "-c", "cat /proc/sys/net/ipv[46]/conf/*/forwarding").output
    return links + settings
  }
}
