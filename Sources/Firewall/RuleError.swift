/// Why a rule or a command was refused, with the text and the exit status that ipfw(8) gives.
package struct RuleError: Error, Equatable, CustomStringConvertible {
  /// The part of sysexits(3) that ipfw(8) uses.
  package enum Status: Int32, Sendable {
    case usage = 64
    case badData = 65
    case unknownHost = 68
    case unavailable = 69
    case systemError = 71
  }

  /// Without the program's name.
  package let text: String
  package let status: Status

  package init(_ text: String, _ status: Status) {
    self.text = text
    self.status = status
  }

  package var description: String { text }
}
