package import Kernel

/// A file of this package of at most 64 KiB, by its path from the package's directory.
package func readPage(_ path: String) throws(SystemError) -> String {
  // This file is Tests/TestSupport/Pages.swift.
  let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
  return try readSmallFile(root.joined(separator: "/") + "/" + path)
}
