import Foundation
import Namespaces
import Testing

/// Who may change rules and open divert sockets: who may administer the network.
@Suite(.serialized) struct PrivilegeTests {
  private let host: LinuxScenario
  private let directory: String

  init() throws {
    host = try LinuxScenario()
    directory = try copies(of: ["ipfw", "divert"])
    try host.b.run(
      "chmod", "755", URL(fileURLWithPath: host.daemon.socket).deletingLastPathComponent().path)
  }

  /// What runs a program, and whether it has the privilege.
  private static let rows: [(before: [String], isAdministrator: Bool, saying: String)] = [
    ([], true, ""),
    (["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all"], true, ""),
    (["setpriv", "--bounding-set=-all", "--inh-caps=-all"], false, "needs CAP_NET_ADMIN"),
    (["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"], false, "needs CAP_NET_ADMIN"),
    // All capabilities, in a user namespace of its own.
    (["unshare", "--user", "--map-root-user"], false, "needs CAP_NET_ADMIN in divertd's user namespace"),
    (["unshare", "--user"], false, "needs CAP_NET_ADMIN in divertd's user namespace"),
    (
      [
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "--user", "--map-root-user",
      ],
      // There, the superuser of other namespaces is user 65534 like others.
      false, "not the superuser of this user namespace"
    ),
    (["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], false, "run the program as root"),
    // The capability alone makes no superuser: a program with file capabilities is executed by anyone.
    (
      [
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_admin",
        "--ambient-caps=+net_admin",
      ], false, "run the program as root"
    ),
  ]

  @Test func `the superuser's number is not enough, and the capability in another namespace is none`() throws
  {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    for (index, row) in Self.rows.enumerated() {
      let number = String(100 + index)
      let rule = ["add", number, "count", "ip", "from", "any", "to", "any"]
      let ipfw = try host.b.run(
        row.before + ["\(directory)/ipfw"] + rule, environment: host.daemon.environment, expecting: nil)
      #expect(ipfw.status == (row.isAdministrator ? 0 : 69), "\(row.before) \(ipfw.errors)")
      #expect(row.isAdministrator || ipfw.errors.contains(row.saying), "\(row.before) \(ipfw.errors)")
      #expect(try host.ipfw("list").contains("00\(number)") == row.isAdministrator, "\(row.before)")
      for words in [["stat"], ["pass", "2000"], ["policy", "2000", "pass"]] where !row.isAdministrator {
        let divert = try host.b.run(
          row.before + ["\(directory)/divert"] + words, environment: host.daemon.environment, expecting: 77)
        #expect(divert.errors.contains(row.saying), "\(row.before) \(divert.errors)")
      }
    }
  }

  @Test func `who takes divertd's names is not believed`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let server = """
      import os, socket, sys
      path, abstract = sys.argv[1], sys.argv[2] == "abstract"
      if not abstract: os.chmod(os.path.dirname(path), 0o777)
      os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
      s = socket.socket(socket.AF_UNIX); s.bind("\\0" + path if abstract else path); s.listen(8)
      if not abstract: os.chmod(path, 0o666)
      print("ready", flush=True)
      for i in range(2):
          c, _ = s.accept()
          print("asked", c.recv(100), flush=True)
      """
    for kind in ["abstract", "path"] {
      let path = "\(directory)/\(kind).sock"
      let squatter = try host.b.start(["python3", "-c", server, path, kind])
      #expect(try squatter.line() == "ready")
      let saying = kind == "path" ? "user 65534 listens there, not the superuser" : "start divertd"
      let ipfw = try host.b.run(
        [Programs.path("ipfw"), "list"], environment: ["DIVERT_SOCKET": path], expecting: 69)
      #expect(ipfw.errors.contains(saying) && ipfw.output.isEmpty, "\(ipfw.errors)")
      let program = """
        import errno, socket
        try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 254)
        except OSError as e: print(errno.errorcode[e.errno])
        """
      let bsd = try host.b.run(
        [Programs.path("divert"), "exec", "--", "python3", "-c", program],
        environment: ["DIVERT_SOCKET": path], expecting: nil)
      // `divert exec` looks first, and says so itself.
      #expect(bsd.errors.contains(saying) || bsd.output == "EPROTONOSUPPORT\n", "\(bsd)")
      let preloaded = try host.b.run(
        ["python3", "-c", program],
        environment: ["DIVERT_SOCKET": path, "LD_PRELOAD": Programs.path("libdivert-preload.so")],
        expecting: nil)
      #expect(preloaded.output == "EPROTONOSUPPORT\n", "\(preloaded)")
      squatter.signal(SIGTERM)
      let asked = squatter.result().output
      #expect(!asked.contains("asked b'\\"), "\(asked)")
    }
  }
}
