import Firewall
import Glibc
import Testing

struct RuleFileTests {
  @Test func `a file adds its rules`() throws {
    let text = """
      # the usual
      ipfw -q flush
      add 100 allow ip from any to any via lo   # loopback

      \tipfw add divert natd ip from any to any, via eth0
      add 50 count in
      delete 50
      """.replacing(", via", with: " via")
    let rules = try RuleFile.load(text: text, into: try Self.one(), names: .builtIn)
    #expect(
      Self.lines(rules) == [
        "00100 allow ip from any to any via lo", "00200 divert 8668 ip from any to any via eth0",
        "65535 allow ip from any to any",
      ])
  }

  @Test(arguments: [
    ("add 100 allow in\n\nadd alow out", "Line 3: invalid action alow", Int32(65)),
    ("resetlog", "Line 1: `resetlog' is nothing to load", 64),
    ("list", "Line 1: `list' is nothing to load", 64),
    ("add 65535 allow in", "Line 1: getsockopt(IP_FW_XADD): Invalid argument", 69),
    ("table 1 add 10.0.0.1", "Line 1: not supported yet: table", 69),
    ("frob", "Line 1: bad command `frob'", 64),
    ("\u{feff}frob", "Line 1: bad command `frob'", 64),
    ("add \u{1b}[2J", "Line 1: invalid action \u{fffd}[2J", 65),
    ("\r\n/etc/passwd", "Line 2: bad command `/etc/passwd'", 64),
  ])
  func `a wrong line is named`(text: String, message: String, status: Int32) throws {
    let error = #expect(throws: RuleError.self) {
      try RuleFile.load(text: text, into: RuleSet(default: .allow), names: .builtIn)
    }
    #expect(error?.text == message)
    #expect(error?.status.rawValue == status)
  }

  /// Of the processor's time; debug builds are allowed more.
  @Test func `10 000 rules load in under a second`() throws {
    #if DEBUG
      let limit = 10.0
    #else
      let limit = 1.0
    #endif
    let text = (1...10_000).map { number in
      "add \(number) deny tcp from 10.\(number / 256).\(number % 256).0/24 to any 80,443 in via em0\n"
    }.joined()
    let start = Self.seconds()
    let rules = try RuleFile.load(text: text, into: RuleSet(default: .allow))
    let resolved = RuleImage(ruleSet: rules, host: HostView())
    let seconds = Self.seconds() - start
    #expect(rules.entries.count == 10_001 && resolved.size > 0)
    #expect(seconds < limit)
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func one() throws -> RuleSet {
    try RuleSet(default: .allow).adding(Rule("7 deny in", names: .builtIn)).ruleSet
  }

  static func lines(_ rules: RuleSet) -> [String] {
    rules.entries.map { RulePrinter(names: .builtIn).line($0.rule) }
  }
}
