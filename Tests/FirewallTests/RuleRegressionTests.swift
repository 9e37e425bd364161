import Firewall
import Testing

/// What fuzzing has found, each as a line of a rules file. Whatever is accepted is listed so that it reads back.
struct RuleRegressionTests {
  @Test(arguments: [
    // a name cut to 15 bytes that ended in a comma, which joined it to the next word
    ("add allow via abcdefghijklmn,o xmit em1", nil as String?),
    ("add allow via em0, in", "allow via em0,in"),
    // a name cut within a character, whose replacement was longer than what had been cut
    ("add allow via abcdefghijklmné in", "allow via abcdefghijklmn in"),
    ("add allow via éééééééé", "allow via ééééééé"),
  ])
  func `a listing reads back`(line: String, listed: String?) throws {
    let before = RuleSet(default: .allow)
    let printer = RulePrinter(names: .builtIn)
    let read = try? RuleFile.load(text: line, into: before, names: .builtIn)
    let text = read.map { printer.text($0.entries[0].rule) }
    #expect(text == listed)
    guard let text else { return }
    let again = try RuleFile.load(text: "add \(text)", into: before, names: .builtIn)
    #expect(printer.text(again.entries[0].rule) == text)
  }
}
