import Foundation
import Namespaces
import Testing

/// The tour as users start it.
@Suite(.serialized) struct DemoOnKernelTests {
  /// How lines of the tour begin, in order, wherever it takes place; then how they end.
  private static let story = [
    ("B# ipfw add 100 divert 2000 icmp from any to any in icmptypes 8", ""),
    ("program  in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id ", ""),
    ("A sees", "no answer"),
    ("program  in  em0 tag 100  192.0.2.1 > 192.0.2.2: ICMP echo request, id ", ""),
    ("A sees", "an answer"),
    ("A sends  \"the answer is 41\"", ""),
    ("program  in  em0 tag 200  192.0.2.1.40000 > 198.51.100.2.4000: udp, length 16", ""),
    ("C reads  \"the answer is 42\"", ""),
    ("C reads  \"nobody touches this\"", ""),
    ("program  out em0 tee 300  192.0.2.1.40000 > 198.51.100.2.4000: udp, length 19", ""),
    ("00100", "divert 2000 icmp from any to any in icmptypes 8"),
    ("00300", "tee 2002 udp from any to any out"),
  ]

  @Test func `as root`() throws {
    let demo = try DemoRun()
    let result = try demo.process.result(within: .seconds(30))
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    #expect(result.output.hasPrefix("Three network namespaces of this machine's kernel"), "\(result.output)")
    expectStory(result.output, answers: ["no answer": "0 received", "an answer": "1 received"])
    #expect(try demo.leftFiles == [])
  }

  @Test func `as root, but the kernel cannot do it`() throws {
    let demo = try DemoRun(in: [
      "unshare", "--mount", "sh", "-c", #"mount -t tmpfs none /dev/net && "$@""#, "sh",
    ])
    let result = try demo.process.result(within: .seconds(30))
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    expectSimulated(
      result.output,
      missing: "divertd: open /dev/net/tun: No such file or directory; the kernel lacks TUN; "
        + "try `modprobe tun`, or build it with CONFIG_TUN")
    #expect(try demo.leftFiles == [])
  }

  @Test func `without root`() throws {
    let directory = try copies(of: ["divert"])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let result = try LeashedProcess([
      "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "\(directory)/divert", "demo",
    ]).result(within: .seconds(30))
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    expectSimulated(result.output, missing: "root (try sudo)")
  }

  @Test func `something goes wrong on the way`() throws {
    let directory = try copies(of: ["divert", "divertd"])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let ipfw = "\(directory)/ipfw"
    try "#!/bin/sh\necho ipfw: not today >&2; exit 69\n".write(
      toFile: ipfw, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: ipfw)
    let demo = try DemoRun("\(directory)/divert")
    let result = try demo.process.result(within: .seconds(30))
    #expect(result.status == 70)
    #expect(result.errors == "divert demo: ipfw: not today\n")
    #expect(try demo.leftFiles == [])
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func `ended in the middle`(_ signal: CInt) throws {
    // A shell lets its background jobs ignore SIGINT; a terminal does not.
    let demo = try DemoRun(in: ["env", "--default-signal=INT"])
    while try !demo.process.line(within: .seconds(10)).contains("program  in  em0 tag 100") {}
    demo.process.signal(signal)
    let result = try demo.process.result(within: .seconds(10))
    #expect(result.status == 128 + signal)
    #expect(!result.output.contains("The same, written back"))
    #expect(try demo.leftFiles == [])
  }

  // MARK: What they are made of

  private func expectSimulated(
    _ output: String, missing: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      output.hasPrefix(
        "Missing for the tour on this machine's kernel: \(missing).\nThree hosts, simulated in this process.\n"
      ),
      "\(output)", sourceLocation: sourceLocation)
    expectStory(output, answers: ["an answer": "ICMP echo reply, id 1, seq 2, length 8"], sourceLocation)
  }

  private func expectStory(
    _ output: String, answers: [String: String], _ sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var rest = output.split(separator: "\n").map { String($0.drop { $0 == " " }) }[...]
    for (start, end) in Self.story {
      let end = answers[end] ?? end
      guard let place = rest.firstIndex(where: { $0.hasPrefix(start) && (end.isEmpty || $0.contains(end)) })
      else {
        Issue.record(
          "not there, or not in its place: \(start) … \(end)\n\(output)", sourceLocation: sourceLocation)
        return
      }
      rest = rest[(place + 1)...]
    }
  }
}

/// The tour, with a directory of its own for temporary files.
///
/// All that it starts has a descriptor for its output, so that the end of the output is the end of them all: divertd,
/// and the processes by which the namespaces live.
private final class DemoRun {
  let process: LeashedProcess
  private let directory = FileManager.default.temporaryDirectory.appending(path: "demo-\(UUID().uuidString)")

  init(_ program: String = Programs.path("divert"), in wrapper: [String] = []) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    process = try LeashedProcess(
      ["sh", "-c", #"exec "$@" 9>&1"#, "sh"] + wrapper + [program, "demo"],
      environment: ["TMPDIR": directory.path])
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  var leftFiles: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path) }
  }
}
