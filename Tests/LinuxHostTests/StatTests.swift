import Divert
import DivertWire
import Foundation
import Namespaces
import TestSupport
import Testing

/// `divert stat` with a real divertd and real packets behind it.
@Suite(.serialized) struct StatTests {
  @Test func `a port from before it is bound until after it is free again`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    try host.ipfw("add 50 tee 2001 icmp from any to any in icmptypes 8")
    #expect(try host.stat().ports[2000]?.line == "2000 drop - - - - - - - - nobody")
    #expect(try host.ping("192.0.2.2", count: 1) == 0)
    #expect(try host.statistics().totals[.noPort] == 2, "a packet and a copy")

    let pass = try host.startTool("pass", "2000")
    let copies = try host.program(on: 2001, options: .fragments) { _ in [] }
    #expect(try host.ping("192.0.2.2", count: 5) == 5)
    let table = try host.stat()
    let bound = try #require(table.ports[2000])
    #expect(bound.cells[1...3] == ["drop", "5", "0"] && bound.cells[5...9] == ["0", "5", "0", "-", "-"])
    #expect(bound.program == "divert (\(pass.identifier))")
    let teed = try #require(table.ports[2001])
    #expect(teed.cells[2...3] == ["0", "5"] && teed.cells[9] == "fragments")
    #expect(teed.program.contains("(\(getpid()))"), "this process: \(teed.program)")
    #expect(
      table.totals[0]
        == "diverted 5, copied by tee 5, to nobody 2, lost to a full buffer 0, written back too often 0")
    #expect(table.totals[1] == "written back in 5, out 0; refused -")
    while try copies.step() > 0 {}

    try host.stop(pass)
    #expect(try host.stat().ports[2000]?.program == "nobody")
    let again = try host.startTool("pass", "2000")
    #expect(try host.ping("192.0.2.2", count: 2) == 2)
    let newTable = try host.stat("2000")
    #expect(newTable.ports[2000]?.cells[2...6] == ["2", "0", newTable.ports[2000]?.cells[4] ?? "", "0", "2"])
    #expect(newTable.ports.count == 1 && newTable.totals.isEmpty)
    let statistics = try host.statistics()
    #expect(statistics.totals[.diverted] == 7 && statistics.totals[.teed] == 7)
    #expect(statistics.written[.reinjectedIncoming] == 7, "what the first has written is not forgotten")
    try host.stop(again)
  }

  @Test func `what waits, what is lost and what is refused`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    let socket = try host.open(port: 2000)
    try socket.setReceiveBuffer(bytes: 8192)
    #expect(try host.ping("192.0.2.2", count: 60) == 0)
    let full = try #require(try host.statistics().bound.first)
    #expect(full.diverted == 60 && full.receiveBuffer == 8192 && full.waiting > 4096)
    #expect(full.droppedFull > 0 && full.droppedFull == socket.statistics.droppedFull)
    #expect(full.linkName == "divert2000")

    let request = hex("4500001c 00010000 40018ea9 c0000201 c6336402 0800f7fd 00010001")
    let unreachable = hex("4500001c 00010000 4001 0000 c0000201 cb007101 0800f7fd 00010001")
    try socket.writer.reinject(request, as: .outgoing())
    _ = try? socket.writer.reinject(unreachable, as: .outgoing())
    try host.ipfw("add 300 deny icmp from any to any out icmptypes 8")
    _ = try? socket.writer.reinject(request, as: .outgoing())
    let row = try #require(try host.stat().ports[2000])
    #expect(row.cells[7...].joined(separator: " ").hasPrefix("2 EHOSTUNREACH 1, EACCES 1 -"))
    socket.close()

    // Another socket gets the slot where the first one's packets were counted, and begins with nothing.
    let next = try host.openFreed(port: 2000)
    let statistics = try host.statistics()
    #expect(statistics.bound.first?.written == Counts() && statistics.bound.first?.diverted == 0)
    #expect(statistics.bound.first?.droppedFull == 0)
    #expect(statistics.totals[.droppedFull] == full.droppedFull)
    #expect(statistics.written[.noRoute] == 1 && statistics.written[.reinjectedOutgoing] == 2)
    next.close()
  }

  @Test func `counts go on when a socket's options change`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    var control = try ControlConnection(path: host.daemon.socket)
    guard case .opened = try control.ask(.open), let socket = control.takeDescriptor(),
      case .bound = try control.ask(.bind(port: 2000), descriptor: socket.number)
    else {
      Issue.record("no socket")
      return
    }
    #expect(try host.ping("192.0.2.2", count: 3) == 0)
    #expect(try host.statistics().bound.first?.options == [])
    #expect(try control.ask(.options(.fragments), descriptor: socket.number) == .done)
    #expect(try host.ping("192.0.2.2", count: 1) == 0)
    let bound = try #require(try host.statistics().bound.first)
    #expect(bound.options == .fragments && bound.diverted == 4)
  }

  @Test func `fragments, and what divertd delivers itself`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in")
    let program = try host.program(on: 2000)
    #expect(try host.ping("192.0.2.2", count: 2, size: 4000, programs: [program]) == 2)
    let statistics = try host.statistics()
    #expect(statistics.totals[.fragments] == 6 && statistics.totals[.reassembled] == 2)
    #expect(statistics.totals[.delivered] == 2 && statistics.totals[.upcalls] >= 6)
    #expect(statistics.totals[.diverted] == 2 && statistics.bound.first?.diverted == 2)
  }

  @Test func `--watch tells what each second has added, until a signal`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in icmptypes 8")
    let pass = try host.startTool("pass", "2000")
    for signal in [SIGINT, SIGTERM] {
      // A shell lets its background jobs ignore SIGINT; a terminal does not.
      let watch = try host.b.start(
        ["env", "--default-signal=INT", Programs.path("divert"), "stat", "2000", "--watch", "0.05"],
        environment: host.daemon.environment)
      #expect(try watch.line().hasPrefix("port  policy  diverted  teed"))
      _ = try watch.line()
      #expect(try watch.line().isEmpty)
      #expect(try watch.line().hasPrefix("port  policy  diverted/s  teed/s"))
      #expect(try host.ping("192.0.2.2", count: 5) == 5)
      // Some report tells of them, in the column of rates.
      var rates: [Substring] = []
      while rates.count < 4 || rates[2] == "0" {
        rates = try watch.line().split(separator: " ")
        if rates.first != "2000" { rates = [] }
      }
      watch.signal(signal)
      #expect(watch.result().status == 0)
    }
    try host.stop(pass)
  }

  @Test func `who may not, and what is wrong, ends with one line and a status`() throws {
    let host = try LinuxScenario()
    let directory = try copies(of: ["divert"])
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try host.b.run("chmod", "755", URL(fileURLWithPath: host.daemon.socket).deletingLastPathComponent().path)
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    let rows: [(before: [String], words: [String], status: Int32, saying: String)] = [
      ([], ["stat", "0"], 64, "ports are 1 to 65535"),
      ([], ["stat", "65536"], 64, "65536"),
      ([], ["stat", "--watch", "0"], 64, "--watch wants a number of seconds"),
      ([], ["stat", "--socket", "/nowhere/divertd.sock"], 69, "start divertd"),
      (nobody, ["stat"], 77, "divert: read divertd's statistics: Operation not permitted; run the program"),
    ]
    for row in rows {
      let result = try host.b.run(
        row.before + ["\(directory)/divert"] + row.words, environment: host.daemon.environment,
        expecting: nil)
      #expect(result.status == row.status && result.errors.contains(row.saying), "\(row) \(result.errors)")
      #expect(result.output.isEmpty)
    }
  }

  @Test func `a watcher hears when divertd ends`() throws {
    let namespace = try Namespace()
    let daemon = try RunningDaemon(in: namespace)
    let watch = try namespace.start(
      [Programs.path("divert"), "stat", "--watch", "0.05"], environment: daemon.environment)
    #expect(try watch.line() == "no divert port is bound, and no rule names one")
    daemon.process.signal(SIGTERM)
    daemon.process.result()
    let result = watch.result()
    #expect(result.status == 69 && result.errors.contains("divertd"), "\(result.errors)")
  }
}

/// What the tool has printed, taken apart.
private struct StatTable {
  struct Row {
    let line: String
    let cells: [String]
    var program: String { cells[10...].joined(separator: " ") }
  }
  var ports: [UInt16: Row] = [:]
  var totals: [String] = []

  init(_ text: String) {
    let parts = text.split(separator: "since divertd was started:\n").map { $0.split(separator: "\n") }
    totals = parts.dropFirst().joined().map { String($0.drop { $0 == " " }) }
    for line in parts.first ?? [] {
      let cells = line.split(separator: " ").map(String.init)
      guard let port = cells.first.flatMap({ UInt16($0) }) else { continue }
      ports[port] = Row(line: cells.joined(separator: " "), cells: cells)
    }
  }
}

extension LinuxScenario {
  fileprivate func stat(_ words: String...) throws -> StatTable {
    StatTable(
      try b.run([Programs.path("divert"), "stat"] + words, environment: daemon.environment).output)
  }

  func statistics() throws -> HostStatistics {
    var control = try ControlConnection(path: daemon.socket)
    guard case .told(let statistics) = try control.ask(.statistics) else {
      throw ProcessFailure(
        words: ["statistics"], result: ProcessResult(status: 1, output: "", errors: "another answer"))
    }
    return statistics
  }
}
