import Firewall
import TestSupport
import Testing

/// Names of hosts become addresses before a call goes to divertd.
struct HostNamesTests {
  static let known: [String: [UInt8: String]] = [
    "web": [4: "192.0.2.80", 6: "2001:db8::80"], "mail.example": [4: "192.0.2.25"], "six": [6: "2001:db8::6"],
  ]

  static let rows: [Row] = [
    Row("allow tcp from web to any 80", "allow tcp from 192.0.2.80 to any 80"),
    Row("allow tcp from any to not mail.example/24 25", "allow tcp from any to not 192.0.2.25/24 25"),
    Row(
      "allow ip from mail.example:255.255.0.0 to web", "allow ip from 192.0.2.25:255.255.0.0 to 192.0.2.80"),
    Row(
      "allow ip from 10.0.0.1,web/28,mail.example to any",
      "allow ip from 10.0.0.1,192.0.2.80/28,192.0.2.25 to any"),
    Row("allow ip from web{80,81} to any", "allow ip from 192.0.2.80{80,81} to any"),
    Row(
      "allow ip from { web or not mail.example } to any",
      "allow ip from { 192.0.2.80 or not 192.0.2.25 } to any"),
    Row("allow ip from {web or web } to me", "allow ip from {192.0.2.80 or 192.0.2.80 } to me"),
    Row("allow recv web src-ip web // from web", "allow recv web src-ip 192.0.2.80 // from web"),
    Row("100 set 3 prob 0.5 allow log dst-ip web", "100 set 3 prob 0.5 allow log dst-ip 192.0.2.80"),
    // IPv6 in rules for it, else where IPv6 is asked for
    Row("allow ip6 from web to any", "allow ip6 from 2001:db8::80 to any"),
    Row(
      "allow ip6 from six/64,web to mail.example", "allow ip6 from 2001:db8::6/64,2001:db8::80 to 192.0.2.25"),
    Row("allow src-ip6 web dst-ip6 ::1,six", "allow src-ip6 2001:db8::80 dst-ip6 ::1,2001:db8::6"),
    Row("allow ip from ::1,six to any", "allow ip from ::1,2001:db8::6 to any"),
    Row("allow ip6 from 10.0.0.1,web to any", "allow ip6 from 10.0.0.1,192.0.2.80 to any"),
    Row(
      "allow ip6 from web:255.255.0.0 to web{80}", "allow ip6 from 192.0.2.80:255.255.0.0 to 192.0.2.80{80}"),
    Row("allow ip6 from web/64 to any", "allow ip6 from 2001:db8::80/64 to any"),
    // what nobody knows stays, and so does what is wrong otherwise
    Row("allow ip from six to any"), Row("allow ip from web to nosuch", "allow ip from 192.0.2.80 to nosuch"),
    Row("alow ip from web to any"), Row("allow ip fom web to any"), Row("allow src-ip6 mail.example"),
    Row("allow recv web // web"),
  ]

  @Test(arguments: rows) func `names become addresses`(_ row: Row) throws {
    var call = try IpfwInvocation(["add"] + row.words)
    call.resolveHosts(names: .builtIn, lookUp: Self.lookUp)
    #expect(
      call.job == .command(["add"] + row.resolved.split(separator: " ").map(String.init)),
      sourceLocation: row.line)
  }

  @Test func `names in the lines of a file become addresses`() throws {
    var call = try IpfwInvocation([
      "-q", "--lines", "add 100 allow ip  from any to any # web", "",
      " -S add allow ip from web to any # web",
      "delete web", "100 add allow dst-ip web",
    ])
    call.resolveHosts(names: .builtIn, lookUp: Self.lookUp)
    #expect(
      call.job
        == .lines([
          "add 100 allow ip  from any to any # web", "", "-S add allow ip from 192.0.2.80 to any",
          "delete web",
          "add 100 allow dst-ip 192.0.2.80",
        ]))
  }

  /// Whatever is typed, and whatever a name server makes of it: an end, and a rule or an error.
  @Test func `names in strange places`() throws {
    let words = [
      "allow", "ip", "ip6", "from", "to", "any", "web", "{web", "(web", "web}", "{", "or", "}", "web,web",
      "::1,web",
      "web,::1", "web{1}", "web{web}", "web/24", "web/web", "web:web", ":web", ",web", "web,", "src-ip",
      "src-ip6",
      "dst-ip", "10.0.0.1,web", "not", "recv", "//",
    ]
    for round in 0..<5000 {
      var random = SeededGenerator(stream: UInt64(round))
      let line = (0..<Int.random(in: 1..<9, using: &random)).map { _ in
        words.randomElement(using: &random) ?? ""
      }
      var call = try IpfwInvocation(["add", "allow", "ip6", "from"] + line)
      var lookups = 0
      call.resolveHosts(names: .builtIn) { name, versions in
        lookups += 1
        return versions.first == 6 ? "fd00::1" : "10.0.0.1"
      }
      // names are no more than their words and commas
      #expect(lookups <= 20, "seed \(testSeed), round \(round): \(line)")
    }
  }

  private static func lookUp(_ name: String, _ versions: [UInt8]) -> String? {
    versions.lazy.compactMap { known[name]?[$0] }.first
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let words: [String], resolved: String, line: SourceLocation
    init(_ typed: String, _ resolved: String? = nil, line: SourceLocation = #_sourceLocation) {
      words = typed.split(separator: " ").map(String.init)
      (self.resolved, self.line) = (resolved ?? typed, line)
    }
    var testDescription: String { words.joined(separator: " ") }
  }
}
