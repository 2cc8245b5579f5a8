use build

# docs: rewrites the tables in the README and docs/ that are made from the program's.
verb_docs() {
    verb_build
    docs/generate build/tideway
}
