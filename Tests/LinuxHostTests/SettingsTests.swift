import Foundation
import Kernel
import LinuxHost
import Namespaces
import Testing

/// Settings of the host that divertd changes: written down first, put back at the end, whatever goes wrong.
@Suite(.serialized) struct SettingsTests {
  private let directory = FileManager.default.temporaryDirectory.appending(
    path: "divert-settings-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func path(_ name: String) -> String { directory.appending(path: name).path }

  private func forwarding(in namespace: Namespace) throws -> String {
    try namespace.run("cat", "/proc/sys/net/ipv4/conf/lo/forwarding", "/proc/sys/net/ipv6/conf/lo/forwarding")
      .output
  }

  @Test func `a start that fails for want of descriptors changes nothing and leaves no file`() throws {
    defer { try? FileManager.default.removeItem(at: directory) }
    let namespace = try Namespace()
    let before = try forwarding(in: namespace)
    var statuses: Set<CInt> = []
    // Each number lets it come a little further.
    for limit in stride(from: 8, through: 88, by: 8) {
      let result = try namespace.run(
        [
          "sh", "-c",
          "ulimit -n \(limit); exec \(Programs.path("divertd")) --foreground --for 0 --socket \(path("s"))",
        ], expecting: nil)
      statuses.insert(result.status)
      #expect(try forwarding(in: namespace) == before, "\(limit) descriptors: \(result.errors)")
      let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      #expect(left.isEmpty, "\(limit) descriptors: \(left)")
    }
    #expect(statuses.contains(0) && statuses.contains(69), "some fail, and some do not: \(statuses)")
  }

  @Test func `on a full disk a rule that needs a setting is refused and is not in force`() throws {
    defer { try? FileManager.default.removeItem(at: directory) }
    let (a, b) = (try Namespace(), try Namespace())
    try Namespace.connect(a, "vethA", "192.0.2.1/24", b, "em0", "192.0.2.2/24")
    try b.run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", directory.path)
    defer { _ = try? b.run("umount", "-l", directory.path) }
    let daemon = try RunningDaemon(in: b, socket: path("divertd.sock"))
    let words = "100 divert 2000 icmp from any to any in".split(separator: " ").map(String.init)
    let record = try String(contentsOfFile: path("divertd.sock.state"), encoding: .utf8)
    try b.run(["sh", "-c", "head -c 100000 /dev/zero > \(path("fill")) 2>/dev/null"], expecting: nil)
    let refused = try b.run(
      [Programs.path("ipfw"), "add"] + words, environment: daemon.environment, expecting: 69)
    #expect(refused.errors.contains("No space left on device"), "\(refused.errors)")
    #expect(try daemon.ipfw("list") == "65535 allow ip from any to any\n")
    #expect(try a.run(["ping", "-c", "1", "-W", "5", "192.0.2.2"]).status == 0)
    #expect(try String(contentsOfFile: path("divertd.sock.state"), encoding: .utf8) == record)

    try FileManager.default.removeItem(atPath: path("fill"))
    try daemon.ipfw("add " + words.joined(separator: " "))
    #expect(try a.run(["ping", "-c", "1", "-W", "1", "192.0.2.2"], expecting: 1).status == 1)
    #expect(try String(contentsOfFile: path("divertd.sock.state"), encoding: .utf8).contains("mtu lo"))
    daemon.process.signal(SIGTERM)
    #expect(daemon.process.result().status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    #expect(try forwarding(in: b) == "0\n0\n")
  }

  @Test func `one at a time has the file, and a changed setting is left alone`() throws {
    defer { try? FileManager.default.removeItem(at: directory) }
    let namespace = try Namespace()
    let file = path("state")
    try namespace.entered {
      let name = "net/ipv4/conf/lo/forwarding"
      do {
        let settings = try Settings(path: file)
        #expect(throws: SystemError.self) { try Settings(path: file) }
        try settings.setSysctl(name, to: "1")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "sysctl \(name) 0 1\n")
        // The file is another one now, and still the lock.
        #expect(throws: SystemError.self) { try Settings(path: file) }
        try settings.setMTU(of: "lo", to: 4000)
        try settings.setMTU(of: "lo", to: 3000)
        try setMTU(of: "lo", to: 2000)
        try settings.setSysctl("net/ipv4/no_such_setting", to: "1")
      }
      #expect(try String(contentsOfFile: "/proc/thread-self/root/proc/sys/\(name)", encoding: .utf8) == "0\n")
      #expect(try NetworkInterface.all().first { $0.name == "lo" }?.mtu == 2000)
      #expect(!FileManager.default.fileExists(atPath: file))
      // What a killed one has left.
      try "sysctl \(name) 0 1\nmtu lo 2500 2000\nnonsense\n".write(
        toFile: file, atomically: true, encoding: .utf8)
      try writeSmallFile("/proc/sys/\(name)", "1")
      let next = try Settings(path: file)
      #expect(try readSmallFile("/proc/sys/\(name)") == "0\n")
      #expect(try NetworkInterface.all().first { $0.name == "lo" }?.mtu == 2500)
      next.end()
      #expect(!FileManager.default.fileExists(atPath: file))
    }
  }
}
