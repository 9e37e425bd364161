import Captures
import Glibc
import Kernel
import Namespaces
import Packets
import TestSupport
import Testing

/// `divert replay` as people start it.
struct ReplayTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory(named: "divert-replay") }

  private func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = "\(directory.path)/\(name)"
    let file = Descriptor(
      owning: try retrying("make \(path)") { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) })
    var output = OutputBuffer(to: file, "write \(path)")
    output.append(bytes)
    try output.flush()
    return path
  }

  private func replay(
    _ rules: String, _ arguments: String..., capture: [UInt8]
  ) throws -> ProcessResult {
    let rules = try file("rules", Array(rules.utf8))
    return try run(["--rules", rules] + arguments + [file("capture", capture)])
  }

  private func run(_ arguments: [String]) throws -> ProcessResult {
    try LeashedProcess([Programs.path("divert"), "replay"] + arguments, environment: ["TZ": "Asia/Tokyo"])
      .result(within: .seconds(60))
  }

  // MARK: Packets

  static let ping = sample { try Sample.icmp("192.0.2.1", "192.0.2.2", type: 8) }
  static let web = sample { try Sample.tcp("192.0.2.1", 40_000, "192.0.2.2", 80) }
  static let query = sample { try Sample.udp("192.0.2.1", 40_000, "198.51.100.2", 53, [1, 2, 3, 4]) }
  static let query6 = sample { try Sample.udp("2001:db8::1", 40_000, "2001:db8::2", 53) }
  static let fragment = sample {
    try Sample.packet(17, "192.0.2.1", "198.51.100.2", [1, 2, 3, 4], fragmentOffset: 1480)
  }
  static let nonsense: [UInt8] = [0x45, 0, 0xff, 0xff] + [UInt8](repeating: 1, count: 40)

  static func sample(_ packet: () throws -> [UInt8]) -> [UInt8] {
    do { return try packet() } catch { fatalError("\(error)") }
  }

  // MARK: Verdicts

  struct Row: CustomTestStringConvertible, Sendable {
    let rules: String
    let arguments: [String]
    let packets: [[UInt8]]
    let lines: [String]
    var testDescription: String { "\(arguments) \(rules)" }

    init(_ rules: String, _ arguments: [String] = [], _ packets: [[UInt8]], _ lines: [String]) {
      (self.rules, self.arguments, self.packets, self.lines) = (rules, arguments, packets, lines)
    }
  }

  private static let four = """
    add 200 divert 5000 icmp from any to any in   # pings
    ipfw add 300 tee 6000 udp from any to any 53

    add 800 pass tcp from any to any
    """

  static let rows: [Row] = [
    Row(
      four, ["--default", "deny"], [ping, web, fragment, query],
      ["1 200 divert 5000", "2 800 accept", "3 65535 deny", "4 300 tee 6000 ; 65535 deny"]),
    Row(
      "add 200 divert 5000 ip from any to any\nadd 800 permit ip from any to any", ["--port", "5000=pass"],
      [ping], ["1 200 divert 5000 ; 800 accept"]),
    Row(
      "add 200 divert 5000 ip from any to any", ["--port", "5000=drop", "--port", "5001=pass"], [ping],
      ["1 200 divert 5000"]),
    Row("", [], [ping, query6], ["1 65535 accept", "2 65535 accept"]),
    Row("add 10 drop ip from any to any", [], [ping], ["1 10 deny"]),
    // what goes on does not show
    Row(
      """
      add 100 count ip from any to any
      add 200 skipto 400 ip from any to any
      add 300 deny ip from any to any
      add 400 tee 1 ip from any to any
      add 400 tee 2 ip from any to any
      """, [], [ping], ["1 400 tee 1 ; 400 tee 2 ; 65535 accept"]),
    // written back, it goes on behind all rules of the number (divert(4))
    Row(
      "add 200 divert 5 ip from any to any\nadd 200 deny ip from any to any", ["--port", "5=pass"], [ping],
      ["1 200 divert 5 ; 65535 accept"]),
    // directions and interfaces
    Row("add 1 deny ip from any to any in recv em0", [], [ping], ["1 1 deny"]),
    Row(
      "add 1 deny ip from any to any in recv em1", ["--interface", "em1=192.0.2.2/24"], [ping], ["1 1 deny"]),
    Row("add 1 deny ip from any to any in via em7", ["--in", "em7"], [ping], ["1 1 deny"]),
    Row("add 1 deny ip from any to any out xmit em7", ["--out", "em7"], [ping], ["1 1 deny"]),
    Row("add 1 deny ip from any to any recv em*", ["--out", "em7"], [ping], ["1 65535 accept"]),
    Row("add 1 deny ip from any to any xmit em*", ["--in", "em7"], [ping], ["1 65535 accept"]),
    Row(
      "add 1 deny ip from any to me", ["--interface", "em0=192.0.2.2/24,2001:db8::2/64"],
      [ping, query6, query], ["1 1 deny", "2 1 deny", "3 65535 accept"]),
    Row(
      "add 1 deny ip from me to any",
      ["--interface", "em0", "--interface", "em1=192.0.2.1/24", "--out", "em0"],
      [ping, query], ["1 1 deny", "2 1 deny"]),
    Row("add 1 deny ip from any to me", [], [ping], ["1 65535 accept"]),
    // the loop guard of 16 passes
    Row(
      (1...20).map { "add \($0) divert 5 ip from any to any\n" }.joined(), ["--port", "5=pass"], [ping],
      ["1 " + (1...16).map { "\($0) divert 5 ; " }.joined() + "17 looped"]),
    // no packet is left out for what is wrong with it
    Row("add 1 count ip from any to any", [], [nonsense, ping], ["1 65535 deny", "2 65535 accept"]),
  ]

  @Test(arguments: rows) func verdicts(_ row: Row) throws {
    let rules = try file("rules", Array(row.rules.utf8))
    for capture in [SampleCapture.pcap(row.packets), SampleCapture.pcapng(row.packets, isBigEndian: true)] {
      let result = try run(
        ["--rules", rules, "--verdicts"] + row.arguments + [file("capture", capture)])
      #expect(result.output == row.lines.map { $0 + "\n" }.joined())
      #expect(result.errors == "")
      #expect(result.status == 0)
    }
  }

  /// What stands before a packet, by link type, for IPv4 and IPv6.
  static let linkLayers: [(linkType: UInt32, before: (String, String))] = [
    (1, ("0200 0000 0001 0200 0000 0002 0800", "0200 0000 0001 0200 0000 0002 86dd")),
    (1, ("0200 0000 0001 0200 0000 0002 8100 0005 0800", "0200 0000 0001 0200 0000 0002 8100 0005 86dd")),
    (9, ("ff03 0021", "57")), (50, ("ff03 0021", "8f00 86dd")), (104, ("0f00 0800", "0f00 86dd")),
    (51, ("1100 0001 001e 0021", "1100 0001 0032 0057")),
    (8, ("01" + String(repeating: "00", count: 15), "00" + String(repeating: "00", count: 15))),
    (117, ("3d02" + String(repeating: "00", count: 62), "641c" + String(repeating: "00", count: 98))),
    (12, ("", "")), (101, ("", "")), (228, ("", "")), (0, ("0200 0000", "1e00 0000")),
    (0, ("0000 0002", "0000 0018")), (108, ("0000 0002", "0000 001c")),
    (113, ("0000 0001 0006 0200 0000 0001 0000 0800", "0000 0001 0006 0200 0000 0001 0000 86dd")),
    (
      276,
      (
        "0800 0000 0000 0002 0001 00 06 0200 0000 0001 0000",
        "86dd 0000 0000 0002 0001 00 06 0200 0000 0001 0000"
      )
    ),
  ]

  @Test(arguments: linkLayers)
  func `every link type, in either byte order`(linkType: UInt32, before: (String, String)) throws {
    let frames = [hex(before.0) + Self.ping, hex(before.1) + Self.query6]
    for isBigEndian in [false, true] {
      for capture in [
        SampleCapture.pcap(frames, linkType: linkType, isBigEndian: isBigEndian),
        SampleCapture.pcap(frames, linkType: linkType, isBigEndian: isBigEndian, isInNanoseconds: true),
        SampleCapture.pcapng(frames, linkType: UInt16(linkType), isBigEndian: isBigEndian),
      ] {
        let result = try replay("add 7 deny udp from any to any 53", "--verdicts", capture: capture)
        #expect(result.output == "1 65535 accept\n2 7 deny\n" && result.errors == "" && result.status == 0)
        let summary = try replay("", capture: capture).output
        #expect(
          summary.contains("; 2023-11-14 22:13:20.000000 to 2023-11-14 22:13:20.250000 UTC\n"), "\(summary)")
      }
    }
  }

  @Test func `frames that carry no IP are not numbered, those of a VLAN are`() throws {
    let addresses = [UInt8](repeating: 2, count: 12)
    let frames = [
      addresses + hex("0806 0001"), addresses + hex("8100 0005 0800") + Self.ping,
      addresses + hex("0800") + Self.ping + [UInt8](repeating: 0, count: 18),
    ]
    let capture = SampleCapture.pcap(frames, linkType: 1)
    #expect(try replay("", "--verdicts", capture: capture).output == "1 65535 accept\n2 65535 accept\n")
    let summary = try replay("", capture: capture).output
    #expect(summary.contains("\n65535 2 56 allow ip from any to any\n"), "\(summary)")
    #expect(summary.contains("not judged: 1 that are no IP\n"), "\(summary)")
  }

  @Test func `interfaces whose link type cannot be read are passed over and counted`() throws {
    var blocks = PcapngBlocks()
    blocks.section()
    blocks.interface(189)
    blocks.interface(101)
    blocks.packet([1, 2, 3], ticks: 1)
    blocks.packet(Self.ping, interface: 1, ticks: 2)
    blocks.packet([1, 2, 3], ticks: 3)
    let verdicts = try replay("", "--verdicts", capture: blocks.bytes)
    #expect(verdicts.output == "1 65535 accept\n" && verdicts.status == 0)
    #expect(verdicts.errors.hasSuffix(": passed over 2 of link type 189, which cannot be read\n"))
    let summary = try replay("", capture: blocks.bytes)
    #expect(summary.output.contains("\nnot judged: 2 of link type 189, which cannot be read\n"), "\(summary)")
    #expect(summary.errors == "" && summary.status == 0)
  }

  @Test func `packets cut by the snapshot length are judged by what is there`() throws {
    let capture = SampleCapture.pcap([Array(Self.query.prefix(28))], missing: Self.query.count - 28)
    let result = try replay("add 7 deny udp from any to any 53", "--verdicts", capture: capture)
    #expect(result.output == "1 7 deny\n")
    let summary = try replay("add 7 deny udp from any to any 53", capture: capture)
    #expect(summary.output.contains("packet 1: 192.0.2.1.40000 > 198.51.100.2.53: udp, length 4\n"))
    #expect(summary.output.contains("00007 1 32 deny udp from any to any 53\n"), "\(summary.output)")
  }

  // MARK: Summary

  @Test func summary() throws {
    let result = try replay(
      "add 100 count icmp from any to any\n" + Self.four, "--port", "5000=pass",
      capture: SampleCapture.pcap([Self.ping, Self.web, Self.ping, Self.query]))
    #expect(result.errors == "" && result.status == 0)
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(
      lines.dropLast(2)
        == [
          "\(directory.path)/capture: 4 IP packets, received on em0; "
            + "2023-11-14 22:13:20.000000 to 2023-11-14 22:13:20.750000 UTC",
          "",
          "00100 2 56 count icmp from any to any",
          "      first 2023-11-14 22:13:20.000000, last 2023-11-14 22:13:20.500000",
          "      packet 1: 192.0.2.1 > 192.0.2.2: ICMP echo request, id 0, seq 0, length 8",
          "00200 2 56 divert 5000 icmp from any to any in",
          "      first 2023-11-14 22:13:20.000000, last 2023-11-14 22:13:20.500000",
          "      packet 1: 192.0.2.1 > 192.0.2.2: ICMP echo request, id 0, seq 0, length 8",
          "00300 1 32 tee 6000 udp from any to any 53",
          "      first 2023-11-14 22:13:20.750000, last 2023-11-14 22:13:20.750000",
          "      packet 4: 192.0.2.1.40000 > 198.51.100.2.53: udp, length 4",
          "00800 1 40 allow tcp from any to any",
          "      first 2023-11-14 22:13:20.250000, last 2023-11-14 22:13:20.250000",
          "      packet 2: 192.0.2.1.40000 > 192.0.2.2.80: tcp SYN, seq 0, win 65535, length 0",
          "65535 3 88 allow ip from any to any",
          "      first 2023-11-14 22:13:20.000000, last 2023-11-14 22:13:20.750000",
          "      packet 1: 192.0.2.1 > 192.0.2.2: ICMP echo request, id 0, seq 0, length 8",
          "",
          "accepted 4, denied 0, diverted and not written back 0",
        ][...])
    #expect(lines.dropLast().last?.hasPrefix("4 packets read in ") == true)
    #expect(lines.dropLast().last?.hasSuffix(" packets/s") == true)
  }

  @Test func `what passed is written`() throws {
    let out = "\(directory.path)/out.pcapng"
    let result = try replay(
      "add 10 deny tcp from any to any\nadd 20 divert 7 udp from any to any\nadd 30 allow icmp from any to any",
      "--write", out, "--verdicts",
      capture: SampleCapture.pcap([Self.web, Self.query, Self.ping, Self.fragment, Self.query6]))
    #expect(result.status == 0 && result.errors == "")
    let again = try run(["--rules", "/dev/null", "--verdicts", out])
    #expect(again.output == "1 65535 accept\n")
    let file = Descriptor(owning: try retrying("open \(out)") { open(out, O_RDONLY) })
    let bytes = readSome(of: file)
    var reader = try CaptureReader(bytes: bytes)
    #expect(try reader.advance())
    #expect([UInt8](reader.frame.bytes) == Self.ping)
    #expect(reader.frame.time == SampleCapture.time(2))
    #expect(bytes.contains(Array("rule 30: allow icmp from any to any".utf8)))
  }

  // MARK: Errors

  @Test func errors() throws {
    let capture = try file("capture", SampleCapture.pcap([Self.ping]))
    let rules = try file("rules", Array("add 1 allow ip from any to any\n".utf8))
    let bad = try file("bad", Array("# one\nadd 1 allow ip from any to any\nadd 2 alow ip\n".utf8))
    let text = try file("text", Array("no capture".utf8))
    let wireless = try file("wireless", SampleCapture.pcap([[1]], linkType: 105))
    var bytes = SampleCapture.pcapng([Self.ping, Self.web])
    bytes[bytes.count - 4] = 99
    let corrupt = try file("corrupt", bytes)
    let start = SampleCapture.pcapng([Self.ping]).count
    let missing = "\(directory.path)/missing"
    let later = try file("later", Array("add 1 reset tcp from any to any\n".utf8))
    let unknown = try file("unknown", Array("add 1 deny ip from 10.0.0.256 to any\n".utf8))
    let rows: [(arguments: [String], status: CInt, error: String, output: String)] = [
      (
        ["--rules", rules, "--in", "a", "--out", "b", capture], 64,
        "--in and --out: a packet makes one pass; ", ""
      ),
      (
        ["--rules", rules, "--interface", "em0=1.2.3.4/99", capture], 64, "1.2.3.4/99: the prefix length", ""
      ),
      (
        ["--rules", rules, "--in", "a-name-of-more-than-15", capture], 64, "an interface's name has 1 to 15",
        ""
      ),
      (
        ["--rules", rules, "--write", capture, capture], 64, "--write \(capture): that is the capture itself",
        ""
      ),
      (["--rules", bad, capture], 65, "\(bad): Line 3: invalid action alow", ""),
      (["--rules", rules, text], 65, "\(text): no capture that can be read: it is neither pcap nor", ""),
      (
        ["--rules", rules, wireless], 65, "\(wireless): link type 105 cannot be read; Ethernet, raw IP, ", ""
      ),
      (
        ["--rules", rules, "--verdicts", corrupt], 65,
        "\(corrupt): corrupt at byte \(start): a block of 84 bytes that ends as one of 99", "1 1 accept\n"
      ),
      (["--rules", unknown, capture], 68, "\(unknown): Line 1: hostname ``10.0.0.256'' unknown", ""),
      (["--rules", later, capture], 69, "\(later): Line 1: not supported yet: reset", ""),
      (["--rules", missing, capture], 66, "\(missing): No such file or directory", ""),
      (["--rules", rules, missing], 66, "\(missing): No such file or directory", ""),
      (["--rules", rules, directory.path], 66, "\(directory.path): Is a directory", ""),
      (
        ["--rules", rules, "--write", "\(missing)/out", capture], 73, "make \(missing)/out: No such file", ""
      ),
    ]
    for row in rows {
      let result = try run(row.arguments)
      #expect(result.status == row.status, "\(row.arguments): \(result.errors)")
      #expect(result.errors.hasPrefix("divert: \(row.error)"), "\(row.arguments): \(result.errors)")
      #expect(result.errors.split(separator: "\n").count == 1, "\(row.arguments): \(result.errors)")
      #expect(result.output == row.output, "\(row.arguments)")
    }
    for arguments in [
      ["--rules", rules], [capture], ["--rules", rules, "--port", "5000", capture],
      ["--rules", rules, "--port", "0=pass", capture], ["--rules", rules, "--default", "maybe", capture],
      ["--rules", rules, "--interface", "=1.2.3.4", capture],
    ] {
      #expect(try run(arguments).status == 64, "\(arguments)")
    }
  }

  @Test(arguments: [[], ["--verdicts"], ["--write", "/dev/full"]])
  func `what cannot be written is no success`(options: [String]) throws {
    let capture = try file("capture", SampleCapture.pcap([Self.ping]))
    let words = [Programs.path("divert"), "replay", "--rules", "/dev/null"] + options + [capture]
    let result = try LeashedProcess(["sh", "-c", #"exec "$@" >/dev/full"#, "sh"] + words)
      .result(within: .seconds(60))
    #expect(
      result.errors.hasPrefix("divert: write ") && result.errors.hasSuffix(": No space left on device\n"))
    #expect(result.status == 71)
  }

  @Test func `a file that is cut is read up to there`() throws {
    let bytes = Array(SampleCapture.pcap([Self.ping, Self.web]).dropLast())
    let result = try replay("", "--verdicts", capture: bytes)
    #expect(result.output == "1 65535 accept\n")
    #expect(
      result.errors
        == "divert: \(directory.path)/capture: cut short within the record at byte 68; read up to there\n")
    #expect(result.status == 0)
    #expect(try replay("", capture: bytes).output.contains("The file is cut short"))
  }

  @Test func `from standard input`() throws {
    let capture = try file("capture", SampleCapture.pcapng([Self.ping]))
    let result = try LeashedProcess([
      "sh", "-c", #"cat "$1" | "$0" replay --rules /dev/null --verdicts -"#, Programs.path("divert"), capture,
    ]).result(within: .seconds(10))
    #expect(result.output == "1 65535 accept\n")
    #expect(result.status == 0)
  }

  /// A program that captures and goes on, and Ctrl-C.
  @Test func `interrupted, it tells what it has seen`() throws {
    let path = "\(directory.path)/fifo"
    #expect(mkfifo(path, 0o600) == 0)
    let process = try LeashedProcess([Programs.path("divert"), "replay", "--rules", "/dev/null", path])
    let fifo = Descriptor(owning: try retrying("open \(path)") { open(path, O_WRONLY | O_CLOEXEC) })
    let number = try fifo.duplicate()
    var output = OutputBuffer(to: try fifo.duplicate(), "write to a pipe")
    output.append(SampleCapture.pcap([Self.ping, Self.web]))
    try output.flush()
    // What has been read has been judged before the next wait, and that is when a signal is heard.
    let deadline = ContinuousClock.now + .seconds(10)
    var unread: CInt = 1
    while unread > 0, ContinuousClock.now < deadline {
      _ = ioctl(number.number, UInt(FIONREAD), &unread)
      sched_yield()
    }
    process.signal(SIGINT)
    let result = try process.result(within: .seconds(10))
    #expect(result.status == 0 && result.errors == "")
    #expect(result.output.contains("\(path): 2 IP packets, received on em0"), "\(result.output)")
    #expect(result.output.contains("Interrupted; this is what came before."), "\(result.output)")
  }

  @Test func `hosts in rules are looked up`() throws {
    let capture = SampleCapture.pcap([
      Self.ping, Self.sample { try Sample.icmp("127.0.0.1", "192.0.2.2", type: 8) },
    ])
    let result = try replay("add 7 deny ip from localhost to any", "--verdicts", capture: capture)
    #expect(result.output == "1 65535 accept\n2 7 deny\n")
    #expect(result.errors == "" && result.status == 0)
  }

  /// Whoever kept something of each packet would need more than the limit, which is 24 MiB of data, for a capture of 46.
  @Test func `a million packets in bounded memory, at a rate that is told`() throws {
    let path = "\(directory.path)/long"
    let bytes = SampleCapture.pcap(Array(repeating: Self.query, count: 1000))
    let header = SampleCapture.pcap([]).count
    let file = Descriptor(
      owning: try retrying("make \(path)") { open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) })
    var output = OutputBuffer(to: file, "write \(path)")
    output.append(Array(bytes[..<header]))
    for _ in 0..<1000 {
      output.append(Array(bytes[header...]))
      try output.flush()
    }
    let rules = try self.file("rules", Array("add 1 tee 5 udp from any to any\n".utf8))
    let result = try LeashedProcess([
      "sh", "-c", #"ulimit -d 24576; exec "$0" replay --rules "$1" --write /dev/null "$2""#,
      Programs.path("divert"), rules, path,
    ]).result(within: .seconds(300))
    #expect(result.status == 0 && result.errors == "", "\(result.errors.prefix(300))")
    #expect(
      result.output.contains("\n00001 1000000 32000000 tee 5 udp from any to any\n"), "\(result.output)")
    let rate = try #require(result.output.split(separator: "\n").last)
    #expect(try #/1000000 packets read in \d+ ms: \d+ packets/s/#.wholeMatch(in: rate) != nil, "\(rate)")
  }

  @Test func `a long replay shows at a terminal how far it is`() throws {
    let path = "\(directory.path)/fifo"
    #expect(mkfifo(path, 0o600) == 0)
    let program = try TerminalProcess(
      Programs.path("divert"), ["divert", "replay", "--rules", "/dev/null", path])
    let header = try file("header", SampleCapture.pcap([]))
    let packets = SampleCapture.pcap(Array(repeating: Self.query, count: 1000))
    let thousand = try file("thousand", Array(packets[SampleCapture.pcap([]).count...]))
    // it shows something every 200 ms while there are packets, so there are some until it has
    let feeder = try LeashedProcess([
      "sh", "-c", #"exec >"$0"; cat "$1"; while cat "$2"; do :; done"#, path, header, thousand,
    ])
    try program.answer(" packets", with: "")
    feeder.signal(SIGTERM)
    feeder.result()
    let end = program.end()
    let match = try #/(\r\d+ packets)+\r\x1b\[K(.*): \d+ IP packets, received on em0;/#.prefixMatch(
      in: end.printed)
    #expect(try #require(match).2 == path)
    #expect(end.status == 0)
  }
}
