import Firewall
import Foundation
import TestSupport
import Testing

/// ipfw(8) in docs/man tells of every word there is, and of no other.
@Suite(.serialized) struct ManualPageTests {
  private let described: Set<String>
  private let missing: Set<String>

  private static let directory = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  init() throws {
    let text = try TextFile.read("\(Self.directory)/docs/man/ipfw.8")
    let end = try #require(text.firstRange(of: ".Sh BUGS"))
    described = Self.words(text[..<end.lowerBound])
    missing = Self.words(text[end.lowerBound...])
  }

  private static func words(_ text: Substring) -> Set<String> {
    Set(
      text.split(whereSeparator: \.isNewline).filter {
        $0.hasPrefix(".It") || $0.hasPrefix(".Cm") || $0.hasPrefix(".D1")
      }
      .flatMap { $0.split(separator: " ") }.map { $0.hasPrefix("\\&") ? String($0.dropFirst(2)) : String($0) }
    )
  }

  /// With WRITE_PAGES in the environment the page is written anew.
  @Test(arguments: [("actions", ManualTables.actions), ("options", ManualTables.options)])
  func `the page has the tables`(name: String, table: String) throws {
    let path = "\(Self.directory)/docs/man/ipfw.8"
    let page = try TextFile.read(path)
    let begin = try #require(page.firstRange(of: ManualTables.begin(name) + "\n"))
    let end = try #require(page.firstRange(of: ManualTables.end(name)))
    if ProcessInfo.processInfo.environment["WRITE_PAGES"] != nil {
      let text = page[..<begin.upperBound] + table + page[end.lowerBound...]
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    } else {
      #expect(page[begin.upperBound..<end.lowerBound] == table)
    }
  }

  @Test func `every word of the language`() {
    func expect<Meaning>(_ table: Keywords<Meaning>, later: Meaning?) {
      for (word, meaning) in table.entries where !["(", ")"].contains(word) {
        if meaning != later { #expect(described.contains(word), "\(word)") }
      }
    }
    expect(Grammar.prefixes, later: .later)
    expect(Grammar.actions, later: .later)
    expect(Grammar.modifiers, later: .later)
    expect(Grammar.logOptions, later: .later)
    expect(Grammar.options, later: .later)
    expect(Grammar.tcpFlags, later: nil)
    expect(Grammar.fragmentFlags, later: nil)
  }

  @Test func `every command, and every option but its dashes`() {
    for word in IpfwCompletion.candidates(after: []) {
      let name = word.drop { $0 == "-" }
      #expect(described.contains(String(name)) || word == "print", "\(word)")
    }
  }

  @Test func `what is not there yet is said`() {
    let later =
      Grammar.actions.entries.filter { $0.meaning == .later }.map(\.word)
      + Grammar.modifiers.entries.filter { $0.meaning == .later }.map(\.word)
    for word in later where !word.hasPrefix("nat64") && word != "nptv6" {
      #expect(missing.contains(word), "\(word)")
    }
    for (word, meaning) in Grammar.options.entries where meaning == .later {
      #expect(!described.contains(word), "\(word)")
    }
  }
}
