import Foundation
import Namespaces
import Testing

/// Nobody may not look into the tests' own directories; copies of the programs he may run.
func copies(of programs: [String]) throws -> String {
  let directory = "/tmp/divert-copies-\(UUID().uuidString)"
  try FileManager.default.createDirectory(
    atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
  // By another process: what this one has open for writing, a process started just now holds a moment longer, and
  // a program that somebody may write cannot be run (ETXTBSY).
  let copy = try LeashedProcess(["cp"] + programs.map(Programs.path) + [directory]).result()
  #expect(copy.status == 0, "\(copy.errors)")
  return directory
}
