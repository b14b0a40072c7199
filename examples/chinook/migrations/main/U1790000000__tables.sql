-- A digital media store: what is sold, who bought it, and who sells it.
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT) STRICT;
CREATE TABLE genre (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE media_type (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE album (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  artist INTEGER NOT NULL REFERENCES artist(id)
) STRICT;
CREATE INDEX album_artist ON album (artist);

CREATE TABLE track (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  album INTEGER REFERENCES album(id),
  genre INTEGER REFERENCES genre(id),
  media_type INTEGER NOT NULL REFERENCES media_type(id),
  composer TEXT,
  milliseconds INTEGER NOT NULL CHECK (milliseconds > 0),
  bytes INTEGER,
  unit_price REAL NOT NULL
) STRICT;
CREATE INDEX track_album ON track (album);
CREATE INDEX track_genre ON track (genre);

CREATE TABLE playlist (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE playlist_track (
  playlist INTEGER NOT NULL REFERENCES playlist(id),
  track INTEGER NOT NULL REFERENCES track(id),
  PRIMARY KEY (playlist, track)
) STRICT, WITHOUT ROWID;
CREATE INDEX playlist_track_track ON playlist_track (track);

CREATE TABLE employee (
  id INTEGER PRIMARY KEY,
  first_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  title TEXT,
  reports_to INTEGER REFERENCES employee(id),
  email TEXT COLLATE NOCASE UNIQUE
) STRICT;

CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  first_name TEXT NOT NULL,
  last_name TEXT NOT NULL,
  company TEXT,
  city TEXT,
  country TEXT,
  phone TEXT,
  email TEXT NOT NULL COLLATE NOCASE UNIQUE,
  support_rep INTEGER REFERENCES employee(id)
) STRICT;
CREATE INDEX customer_support_rep ON customer (support_rep);

CREATE TABLE invoice (
  id INTEGER PRIMARY KEY,
  customer INTEGER NOT NULL REFERENCES customer(id),
  day TEXT NOT NULL,
  city TEXT,
  country TEXT,
  total REAL NOT NULL
) STRICT;
CREATE INDEX invoice_customer ON invoice (customer);

CREATE TABLE invoice_line (
  id INTEGER PRIMARY KEY,
  invoice INTEGER NOT NULL REFERENCES invoice(id),
  track INTEGER NOT NULL REFERENCES track(id),
  unit_price REAL NOT NULL,
  quantity INTEGER NOT NULL
) STRICT;
CREATE INDEX invoice_line_invoice ON invoice_line (invoice);
CREATE INDEX invoice_line_track ON invoice_line (track);

-- Words of tracks. Triggers keep it as the tracks are.
CREATE VIRTUAL TABLE track_search USING fts5(name, composer, content='track', content_rowid='id');
CREATE TRIGGER track_search_insert AFTER INSERT ON track BEGIN
  INSERT INTO track_search (rowid, name, composer) VALUES (NEW.id, NEW.name, NEW.composer);
END;
CREATE TRIGGER track_search_delete AFTER DELETE ON track BEGIN
  INSERT INTO track_search (track_search, rowid, name, composer) VALUES ('delete', OLD.id, OLD.name, OLD.composer);
END;
CREATE TRIGGER track_search_update AFTER UPDATE ON track BEGIN
  INSERT INTO track_search (track_search, rowid, name, composer) VALUES ('delete', OLD.id, OLD.name, OLD.composer);
  INSERT INTO track_search (rowid, name, composer) VALUES (NEW.id, NEW.name, NEW.composer);
END;

-- One line for each album. Its key is the album's.
CREATE VIEW album_summary AS
  SELECT al.id, al.title, ar.name AS artist, count(t.id) AS tracks, CAST(sum(t.milliseconds) / 1000 AS INTEGER) AS seconds
  FROM album AS al JOIN artist AS ar ON ar.id = al.artist LEFT JOIN track AS t ON t.album = al.id
  GROUP BY al.id;
