import Divert
import DivertWire
import Foundation
import Namespaces
import TestSupport
import Testing

/// `divert policy` and `divertd --pass-unbound`, as users start them.
@Suite(.serialized) struct PolicyTests {
  @Test func `what divertd is started with is in force, and stays when the rules are read again`() throws {
    let rules = FileManager.default.temporaryDirectory.appending(path: "divert-rules-\(UUID().uuidString)")
    try "add 100 divert 2000 icmp from any to any in\nadd 200 divert 2001 icmp from any to any out\n"
      .write(to: rules, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: rules) }
    let host = try LinuxScenario([
      "--rules", rules.path, "--pass-unbound", "2000", "--pass-unbound", "2001",
    ])
    #expect(try host.ping("192.0.2.2", count: 2) == 2)
    try "add 300 divert 2000 icmp from any to any in\n".write(to: rules, atomically: true, encoding: .utf8)
    host.daemon.process.signal(SIGHUP)
    var listing = ""
    for _ in 0..<1000 where !listing.hasPrefix("00300") { listing = try host.ipfw("list") }
    #expect(try host.ping("192.0.2.2", count: 2) == 2)
    #expect(try host.packets(countedBy: 300) == 2)
    try host.setPolicy(.drop, ofPort: 2000)
    #expect(try host.ping("192.0.2.2", count: 2) == 0)
  }

  @Test func `a packet that is judged in user space passes, too`() throws {
    let host = try LinuxScenario()
    // Rules that look beyond a fragment are asked in user space, where they are the same rules.
    try host.ipfw("add 100 divert 2000 icmp from any to any in frag")
    try host.ipfw("add 200 divert 2001 icmp from any to any in frag")
    try host.setPolicy(.pass, ofPort: 2000)
    let program = try host.program(on: 2001)
    #expect(try host.ping("192.0.2.2", count: 2, size: 3000, programs: [program]) == 2)
    #expect(program.seen.map(\.bytes.count) == [3028, 3028])
    #expect(try host.packets(countedBy: 100) == 4, "the later two of three fragments, twice")
  }

  @Test func `who may not, and what is wrong, ends with one line and a status`() throws {
    let host = try LinuxScenario()
    let directory = try copies(of: ["divert"])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    let rows: [(words: [String], status: Int32, saying: String)] = [
      (["policy", "2000", "pass"], 0, ""),
      (["policy", "2000", "keep"], 64, "keep"),
      (["policy", "0", "pass"], 64, "ports are 1 to 65535"),
      (["policy", "2000", "pass", "--socket", "/nowhere/divertd.sock"], 69, "start divertd"),
    ]
    for row in rows {
      let result = try host.b.run(
        ["\(directory)/divert"] + row.words, environment: host.daemon.environment, expecting: nil)
      let isSaid = row.saying.isEmpty ? result.errors.isEmpty : result.errors.contains(row.saying)
      #expect(result.status == row.status && isSaid, "\(row) \(result.errors)")
    }
    try host.b.run("chmod", "755", URL(fileURLWithPath: host.daemon.socket).deletingLastPathComponent().path)
    let result = try host.b.run(
      nobody + ["\(directory)/divert", "policy", "2000", "pass"], environment: host.daemon.environment,
      expecting: nil)
    #expect(result.status == 77)
    #expect(
      result.errors
        == "divert: set the policy of divert port 2000: Operation not permitted; run the program as root\n")
    let wrong = try host.b.run(
      [Programs.path("divertd"), "--foreground", "--pass-unbound", "0"], expecting: nil)
    #expect(wrong.status == 64 && wrong.errors.contains("--pass-unbound wants a port"))
  }
}
