import Firewall
import Packets
import TestSupport
import Testing

struct RuleParserTests {
  @Test(arguments: RuleListing.all) func `a rule is listed in its normal form`(_ row: RuleListing) throws {
    let rule = try Rule(row.typed, names: .builtIn)
    let printer = RulePrinter(names: .builtIn)
    #expect(printer.text(rule) == row.listed, sourceLocation: row.line)
  }

  @Test(arguments: RuleListing.all) func `what is listed reads back as the same rule`(_ row: RuleListing)
    throws
  {
    // 41 is listed as `ipv6`, which as a protocol means IPv6, as in ipfw
    guard !row.typed.contains("41 ") else { return }
    let rule = try Rule(row.typed, names: .builtIn)
    var printer = RulePrinter(names: .builtIn)
    printer.showsSets = true
    let again = try Rule(printer.text(rule), names: .builtIn)
    #expect(again == rule, sourceLocation: row.line)
  }
}
